//! A run that ends at any point and one that resumes from its checkpoint are equal to one run.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use oss_delete_vectors::bulk::{BulkDelete, BulkOptions, Checkpoint, Event, KeyOutcome, Rate};
use oss_delete_vectors::{Endpoint, Target, code};

use crate::run::{Call, Reply, Run, credentials, deleted, error, key, lost, not_sent, target};

fn resume<'a>(
    checkpoint: &Checkpoint,
    options: BulkOptions,
    service: impl FnMut(&Call<'_>) -> Reply + 'a,
    count: u64,
) -> Run<'a> {
    let mut run = Run::new(BulkOptions::new(), service).keys((0..count).map(key));
    run.bulk = BulkDelete::resume(&target(), credentials(), options, checkpoint).unwrap();
    run
}

/// The checkpoint after a round trip through its text.
fn saved(bulk: &BulkDelete) -> Checkpoint {
    let checkpoint = bulk.checkpoint();
    assert_eq!(checkpoint.to_string().parse::<Checkpoint>().unwrap(), checkpoint);
    checkpoint
}

#[test]
fn resumed_run_skips_settled_keys() {
    let mut first = Run::new(BulkOptions::new().concurrency(4).rate(Rate::Unlimited), |call| {
        match call.number {
            1 => Reply::Silence,
            _ => deleted(),
        }
    })
    .keys((0..5000).map(key));
    first.until(|run| run.bulk.report().deleted == 3000);
    let checkpoint = saved(&first.bulk);
    assert_eq!(checkpoint.settled().prefix(), 500);
    assert!(checkpoint.settled().ranges().eq(std::iter::once(1000..3500)));
    assert_eq!((checkpoint.report().pushed, checkpoint.report().pending()), (3000, 0));

    let positions = Rc::new(RefCell::new(Vec::new()));
    let seen = Rc::clone(&positions);
    let service = move |call: &Call<'_>| {
        let range = call.positions.ranges().next().unwrap();
        seen.borrow_mut().push((range.start, range.end, call.keys));
        deleted()
    };
    let second = resume(&checkpoint, BulkOptions::new(), service, 5000).delete_all();
    assert_eq!(
        *positions.borrow(),
        [(500, 1000, 500), (3500, 4000, 500), (4000, 4500, 500), (4500, 5000, 500)]
    );
    let report = second.bulk.report();
    assert_eq!((report.pushed, report.deleted, report.pending()), (5000, 5000, 0));
    assert_eq!(report.requests, checkpoint.report().requests + 4);
    assert_eq!((second.bulk.settled().prefix(), second.bulk.position()), (5000, 5000));
}

#[test]
fn batch_may_span_settled_positions() {
    let text = checkpoint_text()
        .replace(r#""ranges":[]"#, r#""ranges":[[100,300],[301,399],[450,2000000]]"#);
    let text = text
        .replace(r#""prefix":0"#, r#""prefix":10"#)
        .replace(r#""deleted":0"#, r#""deleted":1999858"#);
    let run =
        resume(&text.parse().unwrap(), BulkOptions::new(), |_| deleted(), 2_000_007).delete_all();
    // 10..100, 300, 399..450. Then positions after a gap that no batch spans.
    assert_eq!(run.requests.iter().map(|&(_, keys)| keys).collect::<Vec<_>>(), [142, 7]);
    assert_eq!(
        (run.bulk.report().deleted, run.bulk.report().pushed, run.bulk.report().duplicates),
        (2_000_007, 2_000_007, 0)
    );
    assert_eq!((run.bulk.settled().prefix(), run.bulk.settled().len()), (2_000_007, 2_000_007));
}

#[test]
fn split_batch_with_gaps_settles_its_own_positions() {
    let text = checkpoint_text().replace(r#""ranges":[]"#, r#""ranges":[[2,5],[6,8]]"#);
    let text = text
        .replace(r#""deleted":0"#, r#""deleted":3"#)
        .replace(r#""rejected":0"#, r#""rejected":1"#);
    let bad = |call: &Call<'_>| {
        if call.request.body().windows(7).any(|part| part == b"\"doc-5\"") {
            rejected()
        } else {
            deleted()
        }
    };
    let run = resume(&text.parse().unwrap(), BulkOptions::new(), bad, 10).delete_all();
    let report = run.bulk.report();
    assert_eq!((report.deleted, report.rejected, report.duplicates, report.pushed), (7, 2, 1, 10));
    assert_eq!(
        run.failed()
            .map(|failed| failed.keys.iter().next().unwrap().to_string())
            .collect::<Vec<_>>(),
        ["doc-5"]
    );
    assert_eq!(run.bulk.settled().prefix(), 10);
}

fn rejected() -> Reply {
    error(400, code::VECTOR_INDEX_PARAMETER_INVALID)
}

fn checkpoint_text() -> String {
    let fresh = BulkDelete::new(&target(), credentials(), BulkOptions::new()).unwrap();
    fresh.checkpoint().to_string()
}

#[test]
fn stopped_keys_are_resent_and_failed_keys_are_not() {
    // The first batch fails permanently, and the second is deleted. Then all requests are rejected,
    // which interrupts the batch of the response and the waiting ones.
    let mut first =
        Run::new(BulkOptions::new().concurrency(1).max_attempts(1).rate(Rate::Unlimited), |call| {
            match call.number {
                0 => lost(),
                1 => deleted(),
                _ => error(403, code::ACCESS_DENIED),
            }
        })
        .keys((0..4000).map(key));
    first.until(|_| false);
    assert_eq!(first.outcomes(), [500, 500, 500, first.bulk.report().pushed - 1500]);
    let checkpoint = saved(&first.bulk);
    assert_eq!((checkpoint.settled().prefix(), checkpoint.settled().len()), (1000, 1000));
    assert_eq!(
        (
            checkpoint.report().deleted,
            checkpoint.report().unconfirmed,
            checkpoint.report().rejected
        ),
        (500, 500, 0)
    );

    let second = resume(&checkpoint, BulkOptions::new(), |_| deleted(), 4000).delete_all();
    assert_eq!(
        (second.requests.len(), second.bulk.report().deleted, second.bulk.report().unconfirmed),
        (6, 3500, 500)
    );
}

#[test]
fn keys_rejected_before_the_first_success_are_resent() {
    let first_bad = |bad: u64| {
        move |call: &Call<'_>| if call.positions.first() < bad { rejected() } else { deleted() }
    };
    // The keys, how many of them are rejected, and how many are settled and rejected in the
    // checkpoint.
    for (keys, bad, stops, settled, rejected) in [
        // Eight rejected keys in a row stop the run: the keys are not the cause.
        (500, 500, true, 0, 0),
        // The run ends without a deletion.
        (3, 3, false, 0, 0),
        // The keys are the cause, as the last one shows.
        (4, 3, false, 4, 3),
    ] {
        let options = || BulkOptions::new().concurrency(1).rate(Rate::Unlimited);
        let mut first = Run::new(options(), first_bad(bad)).keys((0..keys).map(key));
        first.until(|_| false);
        assert_eq!(first.stopped().is_some(), stops, "{keys}");
        let report = first.bulk.report();
        assert_eq!((report.deleted, report.rejected, report.pending()), (keys - bad, bad, 0));
        let failed: usize = first.failed().map(|failed| failed.keys.len()).sum();
        assert_eq!(failed as u64, bad, "each key is in one event");
        let checkpoint = saved(&first.bulk);
        assert_eq!(
            (checkpoint.settled().len(), checkpoint.report().rejected),
            (settled, rejected),
            "{keys}"
        );

        let second = resume(&checkpoint, options(), |_| deleted(), keys).delete_all();
        let deleted = keys - rejected;
        assert_eq!(
            (second.bulk.report().deleted, second.bulk.report().rejected),
            (deleted, rejected),
            "{keys}"
        );
    }
}

#[test]
fn requests_in_flight_at_abort_are_resent_on_resume() {
    let mut first =
        Run::new(BulkOptions::new().concurrency(4).rate(Rate::Unlimited), |_| Reply::Silence)
            .keys((0..4000).map(key));
    first.drain();
    first.bulk.abort();
    assert_eq!(saved(&first.bulk).settled().len(), 0);
    assert_eq!(saved(&first.bulk).report().pushed, 0);
}

#[test]
fn resumed_run_trusts_its_target() {
    let page = |call: &Call<'_>| {
        let page = http::Response::builder().status(302).body("{}".into()).unwrap();
        if call.number == 0 { Reply::Response(page) } else { deleted() }
    };
    let unproven =
        resume(&checkpoint_text().parse().unwrap(), BulkOptions::new().concurrency(1), page, 600)
            .delete_all();
    assert_eq!((unproven.requests.len(), unproven.outcomes()), (1, [0, 0, 500, 100]));
    let text = checkpoint_text()
        .replace(r#""prefix":0"#, r#""prefix":100"#)
        .replace(r#""deleted":0"#, r#""deleted":100"#);
    let proven =
        resume(&text.parse().unwrap(), BulkOptions::new().concurrency(1), page, 600).delete_all();
    assert_eq!((proven.requests.len(), proven.outcomes()), (2, [600, 0, 0, 0]));
}

/// A run that is killed any number of times at any point: in the end every key is deleted, no key
/// is counted twice, and keys that are sent twice were not covered by the checkpoint.
#[test]
fn repeatedly_killed_run_deletes_every_key() {
    const KEYS: u64 = 30_000;
    // Each key twice in a row, and each thousandth once more at the end.
    let input: Vec<u64> =
        (0..KEYS).flat_map(|number| [number, number]).chain((0..KEYS).step_by(1000)).collect();
    let executed = RefCell::new(BTreeMap::<String, u32>::new());
    let random = RefCell::new(crate::random::Random::new(7));
    let service = |call: &Call<'_>| {
        let body: serde_json::Value = serde_json::from_slice(call.request.body()).unwrap();
        let execute = |count: usize| {
            for key in body["keys"].as_array().unwrap().iter().take(count) {
                *executed.borrow_mut().entry(key.as_str().unwrap().to_owned()).or_default() += 1;
            }
        };
        match random.borrow_mut().below(10) {
            0 => not_sent(),
            1 => {
                execute(250);
                error(500, code::INTERNAL_ERROR)
            }
            2 => {
                execute(500);
                lost()
            }
            3 => error(503, code::QPS_LIMIT_EXCEEDED),
            _ => {
                execute(500);
                deleted()
            }
        }
    };
    let options = || BulkOptions::new().concurrency(8).rate(Rate::Unlimited).max_attempts(1000);
    let mut checkpoint: Checkpoint = checkpoint_text().parse().unwrap();
    let mut kills = 0;
    loop {
        let mut run =
            Run::new(BulkOptions::new(), service).keys(input.iter().map(|&number| key(number)));
        run.bulk = BulkDelete::resume(&target(), credentials(), options(), &checkpoint).unwrap();
        let before = checkpoint.report().deleted;
        let saved_at = before + random.borrow_mut().below(1500) as u64;
        run.until(|run| run.bulk.report().deleted >= saved_at);
        run.take_events();
        let reported: u64 = run
            .events
            .iter()
            .map(
                |(_, event)| if let Event::Deleted { keys, .. } = event { *keys as u64 } else { 0 },
            )
            .sum();
        checkpoint = saved(&run.bulk);
        assert_eq!(checkpoint.report().deleted, before + reported);
        if run.bulk.is_finished() {
            let report = run.bulk.report();
            let mut covered = report;
            covered.input_complete = false;
            assert_eq!(
                checkpoint.report(),
                covered,
                "at the end the checkpoint must cover everything"
            );
            assert_eq!(
                (report.pushed, report.deleted + report.duplicates),
                (input.len() as u64, input.len() as u64)
            );
            assert!(run.failed().all(|failed| failed.outcome != KeyOutcome::Rejected));
            break;
        }
        // Later events are lost with the process.
        let killed_at = saved_at + random.borrow_mut().below(1000) as u64;
        run.until(|run| run.bulk.report().deleted >= killed_at);
        kills += 1;
    }
    assert!(kills > 10, "{kills}");
    assert_eq!(executed.borrow().len() as u64, KEYS, "a key was never deleted");
}

#[test]
fn checkpoint_is_for_one_index_at_one_service() {
    let with = |endpoint: &str, index: &str| {
        let endpoint =
            if endpoint == "internal" { Endpoint::internal() } else { endpoint.parse().unwrap() };
        Target::builder()
            .region("cn-hangzhou")
            .account_id("1234567890123456")
            .bucket("examplebucket")
            .index_name(index)
            .endpoint(endpoint)
            .build()
            .unwrap()
    };
    let checkpoint = checkpoint_text().parse::<Checkpoint>().unwrap();
    assert_eq!(
        checkpoint.target(),
        "acs:ossvector:cn-hangzhou:1234567890123456:examplebucket/vectorindex1"
    );
    assert!(checkpoint.check_target(&target()).is_ok());
    assert!(
        checkpoint.check_target(&with("internal", "vectorindex1")).is_ok(),
        "the same index by another endpoint"
    );
    for (other, name) in [
        (with("internal", "other"), "examplebucket/other\""),
        (with("http://127.0.0.1:9000", "vectorindex1"), "examplebucket/vectorindex1 at 127.0.0…\""),
    ] {
        let rejected =
            BulkDelete::resume(&other, credentials(), BulkOptions::new(), &checkpoint).unwrap_err();
        let expected = format!(
            r#"target must be the one of the checkpoint, not "acs:ossvector:cn-hangzhou:1234567890123456:{name}"#
        );
        assert_eq!(rejected.to_string(), expected);
    }
}

#[test]
fn invalid_checkpoint_text_is_rejected() {
    let good = checkpoint_text();
    assert_eq!(
        good,
        concat!(
            r#"{"deleted":0,"not_attempted":0,"prefix":0,"ranges":[],"rejected":0,"requests":0,"retries":0,"#,
            r#""target":"acs:ossvector:cn-hangzhou:1234567890123456:examplebucket/vectorindex1","throttled":0,"unconfirmed":0,"#,
            r#""version":1}"#,
        ),
    );
    for (from, to) in [
        ("{", ""),
        ("}", ""),
        (r#""deleted":0"#, r#""deleted":1"#),
        (r#""deleted":0"#, r#""deleted":-1"#),
        (r#""deleted":0,"#, ""),
        (r#""prefix":0"#, r#""prefix":"0""#),
        (r#""ranges":[]"#, r#""ranges":[[1]]"#),
        (r#""ranges":[]"#, r#""ranges":[[2,2]]"#),
        (r#""ranges":[]"#, r#""ranges":[[3,2]]"#),
        (r#""ranges":[]"#, r#""ranges":{}"#),
        (r#""target":"acs"#, r#""target":1,"x":"acs"#),
        (r#""rejected":0"#, r#""rejected":18446744073709551615"#),
        (r#""requests":0"#, r#""requests":9007199254740993"#),
        (r#""retries":0"#, r#""retries":18446744073709551615"#),
        (r#""throttled":0"#, r#""throttled":18446744073709551615"#),
    ] {
        let bad = good.replacen(from, to, 1);
        assert_ne!(bad, good);
        let rejected = bad.parse::<Checkpoint>().unwrap_err();
        assert_eq!(
            (rejected.field(), rejected.rule()),
            ("checkpoint", "must be a line that a run wrote"),
            "{bad}"
        );
    }
}

#[test]
fn checkpoint_text_is_exact() {
    let service = |call: &Call<'_>| match call.number {
        0 => lost(),
        1 => error(503, code::QPS_LIMIT_EXCEEDED),
        2 => Reply::Silence,
        _ => deleted(),
    };
    let options = BulkOptions::new().concurrency(4).rate(Rate::Unlimited).max_attempts(1);
    let elsewhere = Target::builder()
        .region("cn-hangzhou")
        .account_id("1234567890123456")
        .bucket("examplebucket")
        .index_name("index \"1\" é");
    let elsewhere = elsewhere.endpoint("http://[::1]:9000".parse().unwrap()).build().unwrap();
    let mut run = Run::new(BulkOptions::new(), service).keys((0..2500).map(key));
    run.bulk = BulkDelete::new(&elsewhere, credentials(), options).unwrap();
    run.until(|run| run.bulk.report().deleted == 1500);
    assert_eq!(
        run.bulk.checkpoint().to_string(),
        concat!(
            r#"{"deleted":1500,"not_attempted":0,"prefix":1000,"ranges":[[1500,2500]],"rejected":0,"requests":6,"retries":0,"#,
            r#""target":"acs:ossvector:cn-hangzhou:1234567890123456:examplebucket/index \"1\" é at [::1]:9000","throttled":1,"#,
            r#""unconfirmed":500,"version":1}"#,
        ),
    );
    let text = checkpoint_text();
    assert!(
        text.contains(
            r#""target":"acs:ossvector:cn-hangzhou:1234567890123456:examplebucket/vectorindex1","#
        ),
        "{text}"
    );
}

#[test]
fn unknown_checkpoint_version_is_named() {
    for (version, refusal) in [
        ("0", r#"checkpoint must be of version 1, not "0""#),
        ("2", r#"checkpoint must be of version 1, not "2""#),
        ("1.0", r#"checkpoint must be of version 1, not "1.0""#),
        ("null", r#"checkpoint must be of version 1, not "null""#),
    ] {
        let text = checkpoint_text().replace(r#""version":1"#, &format!(r#""version":{version}"#));
        assert_eq!(text.parse::<Checkpoint>().unwrap_err().to_string(), refusal);
    }
    let rejected =
        checkpoint_text().replace(r#","version":1"#, "").parse::<Checkpoint>().unwrap_err();
    assert_eq!(rejected.to_string(), "checkpoint must be of version 1, and has none");
    // Text that is not a checkpoint has no version.
    for text in ["1", "null", "[]", "\"\""] {
        assert_eq!(
            text.parse::<Checkpoint>().unwrap_err().rule(),
            "must be a line that a run wrote",
            "{text}"
        );
    }
}

#[test]
fn positions_up_to_u64_max_are_parsed() {
    let text =
        checkpoint_text().replace(r#""ranges":[]"#, r#""ranges":[[1,2],[5,18446744073709551615]]"#);
    let checkpoint: Checkpoint = text.parse().unwrap();
    assert_eq!(checkpoint.report().duplicates, u64::MAX - 4);
    let mut bulk =
        BulkDelete::resume(&target(), credentials(), BulkOptions::new(), &checkpoint).unwrap();
    (0..9)
        .for_each(|number| bulk.push(oss_delete_vectors::Key::new(&key(number)).unwrap()).unwrap());
    assert_eq!((bulk.report().pending(), bulk.position()), (4, 9));
}
