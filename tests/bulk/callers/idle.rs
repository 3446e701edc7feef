use http::StatusCode;
use oss_delete_vectors::{ServiceError, code};

use super::*;

fn failing() -> Reply {
    let failed = ServiceError::new(StatusCode::INTERNAL_SERVER_ERROR, code::INTERNAL_ERROR, "m");
    Box::new(move |_| Some(Ok(failed.clone().with_request_id("some id").to_response())))
}

#[test]
fn time_without_calls_is_not_an_outage() {
    let mut world = World::new(BulkOptions::new());
    world.begin(["doc-0"]);
    world.run();
    // The call ends with its last attempt, and the next call begins an hour later.
    world.reply = Some(failing());
    let failed = world.begin(["doc-1"]);
    world.run();
    assert!(world.result(failed).is_err());
    world.reply = None;
    let before = world.events.len();
    world.run_until(world.at + Duration::from_secs(3600));
    assert_eq!(world.events[before..], [], "nothing was sent");
    // The first attempt after that fails once.
    let mut reply = failing();
    let mut is_first = true;
    world.reply = Some(Box::new(
        move |request| if std::mem::take(&mut is_first) { reply(request) } else { None },
    ));
    let after = world.begin(["doc-2"]);
    world.run();
    assert_eq!(world.result(after), Ok(()));
    let outage = world.events.iter().find(|event| {
        matches!(event, Event::OutageBegan { .. } | Event::OutageEnded { .. } | Event::Stopped(_))
    });
    assert_eq!(outage, None);
}

#[test]
fn time_without_calls_is_not_a_failed_start() {
    let mut world = World::new(BulkOptions::new().max_attempts(2));
    world.reply = Some(failing());
    world.begin(["doc-0"]);
    world.run();
    let before = world.events.len();
    world.run_until(world.at + Duration::from_secs(3600));
    assert_eq!(world.events[before..], [], "nothing was sent");
    // The failure is retried as if it were the first one.
    let mut reply = failing();
    let mut is_first = true;
    world.reply = Some(Box::new(
        move |request| {
            if std::mem::take(&mut is_first) { reply(request) } else { None }
        },
    ));
    let after = world.begin(["doc-2"]);
    world.run();
    assert_eq!(world.result(after), Ok(()));
}
