//! `--prefix`, `--filter` and `--all`: exactly the selected vectors are deleted, a dry run deletes
//! nothing, and invalid combinations are rejected by name.

use std::collections::BTreeSet;
use std::process::Stdio;
use std::time::Duration;

use oss_delete_vectors::emulator::RateLimit;
use oss_delete_vectors::{Vector, code};
use serde_json::{Value, json};

use crate::calls::{BUCKET, INDEX};
use crate::program::{CREDENTIALS, File, PLACE, Run, Service, TRANSPORTS, command, finish, run};

/// doc-0#0 to doc-{n/10}#9, each of one of five tenants.
fn documents(count: usize) -> Service {
    let service = Service::with_keys(0);
    let vectors = (0..count).map(|number| {
        Vector::new(&document(number))
            .unwrap()
            .with_metadata(&json!({"tenant": format!("t{}", number % 5)}).to_string())
            .unwrap()
    });
    service.emulator().put_whole_vectors(BUCKET, INDEX, vectors).unwrap();
    service
}

fn document(number: usize) -> String {
    format!("doc-{}#{}", number / 10, number % 10)
}

fn left(service: &Service) -> BTreeSet<String> {
    service.emulator().keys(BUCKET, INDEX).map(str::to_owned).collect()
}

fn with(service: &Service, options: &[&str]) -> Run {
    let url = service.url();
    let place = ["--index-name", "vectorindex1", "--output-format", "json", "--endpoint", &url];
    run(PLACE.into_iter().chain(place).chain(options.iter().copied()), &CREDENTIALS)
}

#[test]
fn exactly_the_selected_vectors_are_deleted() {
    const TENANTS: &str = r#"{"tenant":{"$in":["t1","t4"]}}"#;
    let filter_file = File::new("filter", "json", TENANTS);
    let in_file = filter_file.argument();
    type IsLeft = fn(usize) -> bool;
    let cases: [(&[&str], IsLeft); 5] = [
        (&["--prefix", "doc-1"], |number| !document(number).starts_with("doc-1")),
        (&["--filter", TENANTS], |number| !matches!(number % 5, 1 | 4)),
        (&["--filter", &in_file, "--segments", "16"], |number| !matches!(number % 5, 1 | 4)),
        (&["--prefix", "doc-2", "--filter", TENANTS], |number| {
            !document(number).starts_with("doc-2") || !matches!(number % 5, 1 | 4)
        }),
        (&["--all", "--segments", "1"], |_| false),
    ];
    for transport in TRANSPORTS {
        for (options, is_left) in &cases {
            let service = documents(3000);
            let options: Vec<&str> =
                options.iter().copied().chain(["--force", "--transport", transport]).collect();
            let run = with(&service, &options);
            let expected: BTreeSet<String> =
                (0..3000).filter(|&number| is_left(number)).map(document).collect();
            assert_eq!(left(&service), expected, "{options:?}: {run:?}");
            let json = run.json();
            let gone = 3000 - expected.len();
            assert_eq!(
                (run.code, &json["deleted"], run.stderr.as_str()),
                (Some(0), &json!(gone), "")
            );
            assert_eq!((&json["passes"], &json["is_clear"]), (&json!(2), &json!(true)));
        }
    }
}

#[test]
fn the_summary_reports_the_last_listing() {
    let service = documents(30);
    let url = service.url();
    let options =
        ["--index-name", "vectorindex1", "--endpoint", &url, "--prefix", "doc-1#", "--force"];
    let text = run(PLACE.into_iter().chain(options), &CREDENTIALS);
    let expected = "Deleted 10 keys from vectorindex1, confirmed by the service; the last pass found no key (request id ";
    assert!(text.code == Some(0) && text.stdout.starts_with(expected), "{text:?}");
    let again = run(PLACE.into_iter().chain(options), &CREDENTIALS);
    let expected = "Deleted 0 keys from vectorindex1; the only pass found no key\n";
    assert_eq!((again.code, again.stdout.as_str()), (Some(0), expected), "{again:?}");
}

/// The last pass is the verification.
#[test]
fn the_summary_reports_how_a_listing_was_verified() {
    let service = documents(30);
    let url = service.url();
    let options = ["--index-name", "vectorindex1", "--endpoint", &url, "--force", "--verify"];
    let text = |prefix: &'static str| {
        run(PLACE.into_iter().chain(options).chain(["--prefix", prefix]), &CREDENTIALS)
    };
    let listed = text("doc-1#");
    let expected = "; verified: the last pass listed the index and found no key (";
    assert!(listed.code == Some(0) && listed.stdout.contains(expected), "{listed:?}");
    let json = with(&service, &["--prefix", "doc-2#", "--force", "--verify"]);
    assert_eq!(json.json()["verified"], json!({"by": "listing", "present": 0}), "{json:?}");
}

/// One pass deletes, but only another listing shows that nothing is left.
#[test]
fn one_pass_proves_nothing_without_another_listing() {
    let service = documents(30);
    let unproven = with(&service, &["--prefix", "doc-1#", "--force", "--passes", "1"]);
    assert_eq!((unproven.code, service.left()), (Some(4), 20), "{unproven:?}");
    assert_eq!(
        unproven.stderr,
        "error: the only pass deleted all keys that it found, but no pass proves that none is left\n\
         help: run the same command again, with --verify, or --passes 2 or more\n"
    );
    let url = service.url();
    let options = ["--index-name", "vectorindex1", "--endpoint", &url, "--force", "--verify"];
    let more = ["--prefix", "doc-2#", "--passes", "1"];
    let verified = run(PLACE.into_iter().chain(options).chain(more), &CREDENTIALS);
    let expected = "; verified: the index was listed again, none still there (";
    assert!(verified.code == Some(0) && verified.stdout.contains(expected), "{verified:?}");
}

/// The lower bound of the time, never an upper one.
#[test]
fn listings_and_lookups_keep_the_maximum_rate() {
    let service = documents(3000);
    let begun = std::time::Instant::now();
    let run = with(&service, &["--all", "--dry-run", "--segments", "1", "--max-qps", "4"]);
    assert_eq!((run.code, service.requests()), (Some(0), 3), "{run:?}");
    assert!(begun.elapsed() >= Duration::from_millis(500), "three requests, 250 ms apart");
    let keys: Vec<String> = (0..250).map(|number| format!("doc-{number}")).collect();
    let keys = keys.join(",");
    let begun = std::time::Instant::now();
    let run = with(&service, &["--keys", &keys, "--force", "--verify", "--max-qps", "4"]);
    assert_eq!((run.code, service.requests()), (Some(0), 3 + 1 + 3), "{run:?}");
    assert!(begun.elapsed() >= Duration::from_millis(500), "three look-ups, 250 ms apart");
}

#[test]
fn a_dry_run_counts_and_deletes_nothing() {
    for transport in TRANSPORTS {
        for (options, keys) in [
            (&["--prefix", "doc-4"][..], 110),
            (&["--filter", r#"{"tenant":"t0"}"#], 100),
            (&["--all", "--force"], 500),
            (&["--all", "--deleted-keys", "/nonexistent/receipt"], 500),
            (&["--prefix", "none"], 0),
        ] {
            let service = documents(500);
            let all: Vec<&str> =
                options.iter().copied().chain(["--dry-run", "--transport", transport]).collect();
            let run = with(&service, &all);
            assert_eq!((run.code, service.left()), (Some(0), 500), "{run:?}");
            assert_eq!(service.emulator().deleted_keys(), 0);
            assert_eq!((&run.json()["keys"], &run.json()["dry_run"]), (&json!(keys), &json!(true)));
            assert_eq!(run.json()["examples"].as_array().unwrap().len(), keys.min(3));
            assert_eq!(run.stderr, "nothing was deleted\n");
        }
    }
    let service = documents(500);
    let url = service.url();
    let options =
        ["--index-name", "vectorindex1", "--endpoint", &url, "--prefix", "doc-42#", "--dry-run"];
    let text = run(PLACE.into_iter().chain(options), &CREDENTIALS);
    assert_eq!(
        text.stdout,
        "Would delete 10 keys from vectorindex1, doc-42#0, doc-42#1, doc-42#2, ..: \
         all keys that begin with \"doc-42#\"\n"
    );
}

#[test]
fn invalid_combinations_are_rejected_by_name() {
    let service = documents(10);
    let keys = r#"["a"]"#;
    let file = File::new("refused", "txt", "a\n");
    let both = "keys come from the index or from you, not from both";
    for (options, expected) in [
        (&["--prefix", "a", "--keys", keys][..], format!("--prefix cannot be used with --keys: {both}")),
        (&["--filter", r#"{"a":1}"#, "--keys-from", file.path()], format!("--filter cannot be used with --keys-from: {both}")),
        (&["--all", "--keys-from", "-"], format!("--all cannot be used with --keys-from: {both}")),
        (&["--all", "--prefix", "a"], "--all cannot be used with --prefix: it selects every vector".to_owned()),
        (&["--all", "--filter", r#"{"a":1}"#], "--all cannot be used with --filter: it selects every vector".into()),
        (&["--prefix", "a", "--keys-format", "lines"], "--prefix cannot be used with --keys-format: no keys are read".into()),
        (&["--prefix", "a", "--on-bad-key", "skip"], "--prefix cannot be used with --on-bad-key: no keys are read".into()),
        (
            &["--prefix", "a", "--checkpoint", "c"],
            "--prefix cannot be used with --checkpoint: a listing starts over; to continue after an interruption, run the same command again".into(),
        ),
        (
            &["--prefix", "a", "--dry-run", "--signing-time", "1"],
            "--prefix cannot be used with --signing-time: the dry run lists the index now".into(),
        ),
        (&["--keys", keys, "--segments", "4"], "--segments needs --prefix, --filter or --all: it applies to listing the index".into()),
        (&["--keys", keys, "--passes", "4"], "--passes needs --prefix, --filter or --all: it applies to listing the index".into()),
        (&["--keys", keys, "--verify", "--dry-run"], "--verify cannot be used with --dry-run: a dry run deletes nothing".into()),
        (&["--keys-from", "-", "--verify"], "--verify cannot be used with --keys-from -: the keys are read twice; write them to a file".into()),
        (&["--prefix", ""], "--prefix: must be 1 to 1024 characters, not \"\"".into()),
        (&["--filter", "{}"], "--filter: must be a JSON object with a condition, such as {\"tenant\":\"acme\"}, not \"{}\"".into()),
        (&["--filter", "tenant=acme"], "--filter: must be a JSON object with a condition, such as {\"tenant\":\"acme\"}, not \"tenant=acme\"".into()),
        (&["--filter", "file:///nonexistent"], "--filter: cannot read \"/nonexistent\": No such file or directory (os error 2)".into()),
        (&["--all", "--segments", "17"], "--segments: must be 1 to 16, not \"17\"".into()),
    ] {
        let options: Vec<&str> = options.iter().copied().chain(["--force"]).collect();
        let run = with(&service, &options);
        let first = run.stderr.lines().next().unwrap_or_default();
        assert_eq!((run.code, first), (Some(1), &*format!("error: {expected}")), "{options:?}");
        assert_eq!((service.requests(), run.stdout.as_str()), (0, ""));
    }
}

#[test]
fn a_filter_that_the_service_rejects_deletes_nothing() {
    for transport in TRANSPORTS {
        let service = documents(100);
        let filter = r#"{"tenant":{"$like":"t"}}"#;
        let options = ["--filter", filter, "--force", "--transport", transport];
        let run = with(&service, &options);
        assert_eq!((run.code, service.left()), (Some(2), 100), "{run:?}");
        assert!(
            run.stderr.starts_with(
                "error: the listing stopped: rejected: 400 VectorIndexParameterInvalid: filter.tenant must have $eq"
            ),
            "{run:?}"
        );
        assert!(run.stderr.ends_with("help: check the index name and the filter\n"), "{run:?}");
        let dry = with(&service, &["--filter", filter, "--dry-run", "--transport", transport]);
        assert_eq!(dry.code, Some(2), "{dry:?}");
    }
}

#[test]
fn an_endpoint_that_ignores_filters_deletes_nothing() {
    for transport in TRANSPORTS {
        for how in ["--force", "--dry-run"] {
            let service = documents(100);
            service.emulator().set_ignores_filters(true);
            let filter = r#"{"tenant":"t1"}"#;
            let run = with(&service, &["--filter", filter, how, "--transport", transport]);
            assert_eq!(
                (run.code, service.left(), service.requests()),
                (Some(1), 100, 1),
                "{run:?}"
            );
            let error = "error: the listing stopped: the endpoint ignores filters: it returned a \
                         vector for a filter that none matches\n";
            let help = "help: use --prefix or --keys-from, or another endpoint\n";
            let note = if how == "--force" { "note: nothing was deleted\n" } else { "" };
            assert_eq!(run.stderr, format!("{error}{note}{help}"));
        }
    }
}

#[test]
fn keys_that_cannot_be_deleted_are_listed_as_present() {
    let service = documents(300);
    service.emulator().reject_keys(["doc-7#7"]);
    let failed = File::none("cannot", "jsonl");
    let options = ["--all", "--force", "--verify", "--failed-keys", failed.path()];
    let run = with(&service, &options);
    assert_eq!((run.code, service.left()), (Some(4), 1), "{run:?}");
    assert!(run.stderr.starts_with("error: the last of 2 passes still found keys\n"), "{run:?}");
    let outcomes: Vec<(String, String)> = failed.read().lines().map(outcome).collect();
    let rejected = ("doc-7#7".to_owned(), "rejected".to_owned());
    let present = ("doc-7#7".to_owned(), "present".to_owned());
    assert_eq!(outcomes, [rejected.clone(), rejected, present]);
}

fn outcome(line: &str) -> (String, String) {
    let line: Value = serde_json::from_str(line).unwrap();
    (line["key"].as_str().unwrap().to_owned(), line["outcome"].as_str().unwrap().to_owned())
}

/// Killed in the middle, and run again.
#[cfg(unix)]
#[test]
fn a_killed_run_is_finished_by_another() {
    for transport in TRANSPORTS {
        let service = documents(20_000);
        service.emulator().set_rate_limit(Some(RateLimit::new(40.0, 5).unwrap()));
        let url = service.url();
        let options = ["--index-name", "vectorindex1", "--output-format", "json", "--force"];
        let more = ["--endpoint", &url, "--prefix", "doc-1", "--transport", transport];
        let spawn = || {
            let arguments = PLACE.into_iter().chain(options).chain(more);
            let mut command = command(arguments, &CREDENTIALS);
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        };
        let mut child = spawn();
        while service.left() > 18_000 {
            std::thread::sleep(Duration::from_millis(2));
            assert!(child.try_wait().unwrap().is_none(), "{:?}", finish(child));
        }
        child.kill().unwrap();
        finish(child);
        let expected: BTreeSet<String> =
            (0..20_000).map(document).filter(|key| !key.starts_with("doc-1")).collect();
        assert!(left(&service).len() > expected.len(), "killed in the middle");
        let run = finish(spawn());
        assert_eq!((run.code, left(&service)), (Some(0), expected), "{run:?}");
    }
}

#[test]
fn a_missing_index_is_reported() {
    let service = documents(1);
    service.emulator().remove_index(BUCKET, INDEX);
    let run = with(&service, &["--all", "--force"]);
    assert_eq!(run.code, Some(2), "{run:?}");
    assert!(
        run.stderr.contains(code::NO_SUCH_VECTOR_INDEX)
            && run.stderr.contains("help: check the index name"),
        "{run:?}"
    );
}
