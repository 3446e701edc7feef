//! Credentials that expire, are rejected, arrive late or never arrive.

use std::cell::Cell;
use std::time::Duration;

use oss_delete_vectors::bulk::{BulkOptions, Event, Rate, StopReason};
use oss_delete_vectors::emulator::{Emulator, Identity};
use oss_delete_vectors::{Credentials, Now, code};

use crate::canary::SECRET;
use crate::run::{Call, LATENCY, Reply, Run, SECOND, deleted, error, key, start, target};

fn pair(name: &str) -> Credentials {
    Credentials::new(name, SECRET).unwrap()
}

fn until(name: &str, expires: Duration) -> Credentials {
    pair(name).with_expiration(start() + expires)
}

fn is_signed_by(call: &Call<'_>, name: &str) -> bool {
    call.request.headers()["authorization"]
        .to_str()
        .unwrap()
        .contains(&format!("Credential={name}/"))
}

/// A service that accepts only these credentials.
fn knowing<'a>(names: &'a [&'a str]) -> impl Fn(&Call<'_>) -> Reply + 'a {
    |call| {
        let is_known = names.iter().any(|name| is_signed_by(call, name));
        if is_known { deleted() } else { error(403, code::SECURITY_TOKEN_EXPIRED) }
    }
}

fn asked(run: &Run<'_>) -> Vec<Duration> {
    run.events
        .iter()
        .filter(|(_, event)| matches!(event, Event::CredentialsNeeded))
        .map(|&(at, _)| at)
        .collect()
}

fn renewing() -> BulkOptions {
    BulkOptions::new().concurrency(1).credentials_timeout(55 * SECOND)
}

#[test]
fn rejected_credentials_are_fatal_without_renewal() {
    for code in
        [code::SECURITY_TOKEN_EXPIRED, code::INVALID_SECURITY_TOKEN, code::INVALID_ACCESS_KEY_ID]
    {
        let run = Run::new(BulkOptions::new().concurrency(1), |_| error(403, code)).delete(600);
        assert!(matches!(run.stopped(), Some(StopReason::Credentials(_))));
        assert_eq!((run.requests.len(), run.outcomes()), (1, [0, 500, 0, 100]));
    }
}

#[test]
fn missing_credentials_stop_the_run() {
    let run = Run::with_credentials(pair("old"), renewing(), knowing(&["new"])).delete(600);
    assert_eq!(run.stopped(), Some(&StopReason::CredentialsMissing));
    assert_eq!((run.requests.len(), run.outcomes()), (1, [0, 500, 0, 100]));
    let refused = Duration::from_millis(10);
    assert_eq!(asked(&run), (0..6).map(|tens| refused + 10 * tens * SECOND).collect::<Vec<_>>());
    assert_eq!(run.now, refused + 55 * SECOND);
}

/// The credentials expire after the end, or after a stop.
#[test]
fn ended_run_needs_no_credentials() {
    for is_stopped in [false, true] {
        let mut run = Run::with_credentials(until("id", 3600 * SECOND), renewing(), |_| deleted())
            .provider(|_| None)
            .keys((0..600).map(key));
        run.until(|run| is_stopped && run.bulk.report().deleted > 0);
        if is_stopped {
            run.bulk.stop();
            run.until(|_| false);
        }
        assert_eq!(run.bulk.poll_timeout(), None, "{is_stopped}");
        run.bulk.handle_timeout(Now::new(7200 * SECOND, start() + 7200 * SECOND));
        assert_eq!(run.bulk.poll_event(), None, "{is_stopped}");
    }
}

#[test]
fn late_credentials_continue_the_run() {
    let run = Run::with_credentials(pair("old"), renewing(), knowing(&["new"]))
        .provider(|asked| (asked == 0).then(|| (45 * SECOND, pair("new"))))
        .delete(5000);
    assert_eq!((run.requests.len(), run.outcomes(), run.stopped()), (11, [5000, 0, 0, 0], None));
    assert_eq!(
        run.requests[1].0,
        Duration::from_millis(10) + 45 * SECOND,
        "nothing may be sent before they arrive"
    );
}

#[test]
fn rejected_credentials_are_requested_with_back_off() {
    // For a while, the provider returns the old ones from its cache.
    for cached in [1, 2, 5] {
        let run = Run::with_credentials(pair("old"), renewing(), knowing(&["new"]))
            .provider(|asked| {
                Some((SECOND / 100, if asked < cached { pair("old") } else { pair("new") }))
            })
            .delete(600);
        assert_eq!(
            (run.requests.len(), run.outcomes(), run.stopped()),
            (3 + cached, [600, 0, 0, 0], None),
            "{cached}"
        );
    }
    // Permanently: until the timeout has passed, and then with the reason.
    let options = BulkOptions::new().credentials_timeout(55 * SECOND);
    let run = Run::with_credentials(pair("old"), options, knowing(&["new"]))
        .provider(|_| Some((Duration::ZERO, pair("old"))))
        .delete(5000);
    assert!(matches!(run.stopped(), Some(StopReason::Credentials(_))));
    let rejected = Duration::from_millis(10);
    assert_eq!(run.now, rejected + 55 * SECOND);
    let since: Vec<u64> = asked(&run).into_iter().map(|at| (at - rejected).as_secs()).collect();
    assert_eq!(since, [0, 1, 3, 7, 15, 25, 35, 45]);
    // Two rejections at first, then one for each renewal.
    assert_eq!(run.requests.len(), 2 + since.len());
}

#[test]
fn requests_with_old_credentials_are_resent_uncounted() {
    let options =
        BulkOptions::new().concurrency(8).rate(Rate::Unlimited).credentials_timeout(60 * SECOND);
    let run = Run::with_credentials(pair("old"), options, knowing(&["new"]))
        .provider(|_| Some((Duration::ZERO, pair("new"))))
        .delete(4000);
    // Eight requests are rejected, and one renewal follows. Then eight more.
    assert_eq!((run.requests.len(), asked(&run).len(), run.outcomes()), (16, 1, [4000, 0, 0, 0]));
}

#[test]
fn credentials_are_renewed_five_minutes_before_expiry() {
    let hour = Duration::from_secs(3600);
    let mut run = Run::with_credentials(until("old", hour), renewing(), knowing(&["old", "new"]))
        .provider(|_| Some((SECOND, until("new", 10 * hour))))
        .keys((0..).map(key));
    // The renewal starts although nothing is sent.
    run.bulk.push(oss_delete_vectors::Key::new("one").unwrap()).unwrap();
    run.send();
    while run.now < 2 * hour {
        run.step();
    }
    assert_eq!(asked(&run), [hour - 300 * SECOND, 10 * hour - 300 * SECOND]);
    assert_eq!(run.stopped(), None);
}

#[test]
fn credentials_timeout_starts_at_expiry() {
    // Requested five minutes early. The timeout of one minute starts at the expiration.
    let mut run = Run::with_credentials(until("old", 301 * SECOND), renewing(), knowing(&["old"]))
        .keys(std::iter::empty());
    run.bulk.push(oss_delete_vectors::Key::new("one").unwrap()).unwrap();
    run.send();
    while run.stopped().is_none() {
        run.step();
    }
    assert_eq!(run.now, 356 * SECOND);
    assert_eq!(asked(&run), (0..36).map(|tens| (1 + 10 * tens) * SECOND).collect::<Vec<_>>());
    assert_eq!(run.stopped(), Some(&StopReason::CredentialsMissing));
}

#[test]
fn short_lived_credentials_are_not_renewed_at_once() {
    // For a minute, the provider's cache has no newer ones.
    let run = Run::with_credentials(until("old", 2 * SECOND), renewing(), |_| deleted())
        .provider(|_| Some((Duration::ZERO, until("cached", 120 * SECOND))))
        .delete(100_000);
    assert_eq!((run.outcomes(), run.stopped()), ([100_000, 0, 0, 0], None));
    assert!(asked(&run).len() <= 2 + run.now.as_secs() as usize / 10);
}

#[test]
fn credentials_are_used_although_the_clock_is_far_ahead() {
    // By the client's clock, all tokens have expired on arrival. The service corrects the clock.
    let hour = Duration::from_secs(3600);
    let mut emulator =
        Emulator::with_vectors(&target(), pair("other"), (0..5000).map(key)).unwrap();
    for name in ["old", "new"] {
        emulator.add_identity(Identity::new(until(name, hour)));
    }
    let mut run = Run::with_credentials(until("old", hour), renewing(), |call| {
        Reply::Response(emulator.handle(Now::new(call.at, start() + call.at), call.request))
    })
    .provider(|_| Some((Duration::ZERO, until("new", hour))))
    .keys((0..5000).map(key));
    run.ahead = 24 * 365 * hour;
    let run = run.delete_all();
    assert_eq!((run.outcomes(), run.stopped()), ([5000, 0, 0, 0], None));
    assert_eq!(run.requests.len(), 11, "one to correct the clock, and ten batches");
    assert_eq!(run.count(|event| matches!(event, Event::ClockCorrected)), 1);
}

#[test]
fn late_rejections_of_old_credentials_cause_no_renewal() {
    // Sent 5 ms apart, so that the second rejection arrives after the new credentials.
    let options =
        BulkOptions::new().concurrency(2).rate(Rate::Fixed(200.0)).credentials_timeout(60 * SECOND);
    let run = Run::with_credentials(pair("old"), options, knowing(&["new"]))
        .provider(|_| Some((SECOND / 1000, pair("new"))))
        .delete(1000);
    assert_eq!((run.requests.len(), asked(&run).len(), run.outcomes()), (4, 1, [1000, 0, 0, 0]));
}

#[test]
fn new_credentials_start_with_one_request() {
    // The service accepts each pair for 21 requests.
    let names = ["a", "b", "c", "d"];
    let used = [const { Cell::new(0) }; 4];
    let options =
        BulkOptions::new().concurrency(4).rate(Rate::Unlimited).credentials_timeout(60 * SECOND);
    let run = Run::with_credentials(pair("a"), options, |call| {
        let by = names.iter().position(|name| is_signed_by(call, name)).unwrap();
        used[by].set(used[by].get() + 1);
        if used[by].get() <= 21 { deleted() } else { error(403, code::SECURITY_TOKEN_EXPIRED) }
    })
    .provider(|asked| Some((Duration::ZERO, pair(names[asked + 1]))))
    .delete(30_000);
    assert_eq!((run.outcomes(), run.stopped()), ([30_000, 0, 0, 0], None));
    // New ones are requested at once each time, because the previous ones were accepted.
    let asked = asked(&run);
    assert_eq!(asked.len(), 2);
    let at_once = |at| run.requests.iter().filter(|&&(sent, _)| sent == at).count();
    for at in asked {
        assert_eq!((at_once(at), at_once(at + LATENCY)), (1, 4), "first one, then four at a time");
    }
}
