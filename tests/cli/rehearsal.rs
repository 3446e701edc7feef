//! `--emulator`: deletes with an index and keys alone.

use serde_json::json;

use crate::program::{CREDENTIALS, File, TRANSPORTS, USAGE, run};

const KEYS: &str = r#"["doc-001","doc-002","doc-003"]"#;

fn rehearse(keys: &str, options: &[&str]) -> crate::program::Run {
    run(
        ["--emulator", "--index-name", "vectorindex1", "--keys", keys]
            .into_iter()
            .chain(options.iter().copied()),
        &[],
    )
}

#[test]
fn three_vectors_are_deleted_over_each_transport() {
    for transport in TRANSPORTS {
        let text = rehearse(KEYS, &["--transport", transport]);
        assert_eq!(text.code, Some(0), "{text:?}");
        assert_eq!(
            text.stdout,
            "Deleted 3 keys from vectorindex1, confirmed by the service (request id 000000000000000000000001)\n\
             The emulator's index held 999 vectors before and holds 996 now\n",
        );
        assert_eq!(text.stderr, "");

        let json = rehearse(KEYS, &["--transport", transport, "--output-format", "json"]);
        assert_eq!((json.code, json.stderr.as_str()), (Some(0), ""), "{json:?}");
        let mut report = json.json();
        let elapsed =
            report.as_object_mut().unwrap().remove("elapsed_seconds").unwrap().as_f64().unwrap();
        assert!((0.0..60.0).contains(&elapsed), "{elapsed}");
        let expected = json!({
            "keys_read": 3, "deleted": 3, "rejected": 0, "unconfirmed": 0, "not_attempted": 0, "duplicates": 0, "bad_lines": 0,
            "input_complete": true, "requests": 1, "throttled": 0, "retries": 0, "errors": [],
            "request_id": "000000000000000000000001",
            "emulator": { "vectors_before": 999, "vectors_after": 996 },
        });
        assert_eq!(report, expected);
    }
}

#[test]
fn a_dry_run_shows_the_address_of_the_emulator() {
    let run = rehearse(KEYS, &["--dry-run"]);
    let url = run.json()["url"].as_str().unwrap().to_owned();
    assert!(run.code == Some(0) && url.starts_with("http://127.0.0.1:"), "{run:?}");
}

#[test]
fn a_key_given_twice_is_deleted_once() {
    let json = rehearse(r#"["doc-001","doc-002","doc-001"]"#, &["--output-format", "json"]);
    assert_eq!((json.code, json.counts()), (Some(0), [2, 0, 0, 0, 1, 1]));
    let text = rehearse(r#"["doc-001","doc-001"]"#, &[]);
    assert!(
        text.stdout.starts_with(
            "Deleted 1 key from vectorindex1, confirmed by the service, 1 duplicate left out "
        ),
        "{text:?}"
    );
}

#[test]
fn keys_that_do_not_exist_count_as_deleted() {
    let run = rehearse(r#"["doc-001","never-was"]"#, &["--output-format", "json"]);
    assert_eq!((run.code, run.counts()), (Some(0), [2, 0, 0, 0, 0, 1]));
    assert_eq!(run.json()["emulator"]["vectors_after"], 998);
}

#[test]
fn requests_hold_500_unique_keys_of_any_length() {
    // 1024 characters of four bytes, escaped: the longest possible 500 keys.
    let key = |number: usize| format!("\"{}{number:03}\"", r"\ud83d\ude00".repeat(1021));
    let json =
        |keys: std::ops::Range<usize>| format!("[{}]", keys.map(key).collect::<Vec<_>>().join(","));

    let file = File::new("keys-500", "json", json(0..500));
    let run = rehearse(&file.argument(), &["--output-format", "json"]);
    assert_eq!((run.code, run.counts()), (Some(0), [500, 0, 0, 0, 0, 1]), "{}", run.stderr);

    let file = File::new("keys-501", "json", json(0..501));
    let run = rehearse(&file.argument(), &["--output-format", "json"]);
    assert_eq!((run.code, run.counts()), (Some(0), [501, 0, 0, 0, 0, 2]), "{}", run.stderr);
}

#[test]
fn emulator_runs_depend_only_on_the_command_line() {
    let environment = [
        ("OSS_REGION", "No Region"),
        ("OSS_ENDPOINT", "oss://nowhere"),
        CREDENTIALS[0],
        CREDENTIALS[1],
    ];
    let options = [
        "--dry-run",
        "--emulator",
        "--index-name",
        "vectorindex1",
        "--keys",
        KEYS,
        "--bucket",
        "mine",
    ];
    let dry = run(options, &environment);
    assert_eq!(dry.code, Some(0), "{dry:?}");
    let authorization = dry.json()["headers"]["authorization"].as_str().unwrap().to_owned();
    assert!(authorization.contains("Credential=example-id/"), "{authorization}");
    assert!(authorization.contains("/cn-hangzhou/"), "{authorization}");
    let url = dry.json()["url"].as_str().unwrap().to_owned();
    assert!(url.starts_with("http://127.0.0.1:") && url.ends_with("/mine/?deleteVectors"), "{url}");

    let wet = run(options[1..].iter().copied(), &environment);
    assert_eq!(wet.code, Some(0), "{wet:?}");
}

#[test]
fn emulator_rejects_an_invalid_index_name() {
    let run = run(["--emulator", "--index-name", "not-valid", "--keys", KEYS], &[]);
    assert_eq!((run.code, run.stdout.as_str()), (USAGE, ""));
    assert!(
        run.stderr.starts_with("error: index name must be 1 to 63 letters and digits"),
        "{run:?}"
    );
}

#[test]
fn emulator_runs_can_select_keys() {
    for transport in TRANSPORTS {
        let selected = ["--emulator", "--index-name", "vectorindex1", "--prefix", "doc-00"];
        let more = ["--verify", "--transport", transport];
        let text = run(selected.into_iter().chain(more), &[]);
        assert_eq!((text.code, text.stderr.as_str()), (Some(0), ""), "{text:?}");
        // One request id, or the count: on a busy host, a page may pause for long enough to close a
        // batch early.
        let (before, after) = text.stdout.split_once(" (").unwrap();
        assert_eq!(
            before,
            "Deleted 9 keys from vectorindex1, confirmed by the service; verified: the last pass \
             listed the index and found no key"
        );
        let after = after.split_once(")\n").unwrap().1;
        assert_eq!(after, "The emulator's index held 999 vectors before and holds 990 now\n");
    }
}
