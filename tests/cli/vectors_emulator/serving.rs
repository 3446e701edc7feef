//! Deletions over the socket, and the tally that reports them.

use oss_delete_vectors::bulk::BulkOptions;
use oss_delete_vectors::signing::Signer;
use oss_delete_vectors::transports::{TransportOptions, UreqTransport};
use oss_delete_vectors::{AttemptError, Credentials, GetVectors, KeyBatch, ListVectors, code};
use serde_json::json;

use super::program::{KEY_PAIR, KeysFile, Program, credentials};
use crate::canary::{SECRET, TOKEN, WRONG_SECRET};

fn error_of(error: &AttemptError) -> (u16, &str) {
    let AttemptError::Service(error) = error else { panic!("{error}") };
    (error.status().as_u16(), error.code())
}

#[test]
fn without_keys_the_index_holds_doc_001_to_doc_999() {
    let program = Program::start(&[]);
    program.delete(credentials(), &["doc-001", "doc-999", "doc-1000", "never-was"]).unwrap();
    program.delete(credentials(), &["doc-001"]).unwrap();
    assert_eq!(
        program.stop().tally(),
        json!({ "requests": 2, "keys": 5, "deleted": 2, "remaining": 997 })
    );
}

#[test]
fn a_run_over_all_keys_of_a_file_empties_the_index() {
    let keys: Vec<String> = (0..5000).map(|number| format!("doc-{number}")).collect();
    let file = KeysFile::new("run.txt", keys.join("\n"));
    let program = Program::start(&["--keys-from", file.path()]);
    let transport = UreqTransport::new(&TransportOptions::new());
    let report =
        transport.delete(&program.target(), credentials(), keys, BulkOptions::new()).unwrap();
    assert_eq!(report.deleted, 5000);
    let expected =
        json!({ "requests": report.requests, "keys": 5000, "deleted": 5000, "remaining": 0 });
    assert_eq!(program.stop().tally(), expected);
}

#[test]
fn keys_come_from_lines_json_lines_and_stdin_together() {
    let text = KeysFile::new("keys.txt", "a\r\nb c\n\nd\n");
    let json = KeysFile::new("keys.jsonl", "\"e\\nf\"\n{\"key\":\"g\",\"distance\":0.5}\n");
    let ndjson = KeysFile::new("keys.ndjson", "\"a\"\n");
    let arguments = [
        "--keys-from",
        text.path(),
        "--keys-from",
        json.path(),
        "--keys-from",
        ndjson.path(),
        "--keys-from",
        "-",
    ];
    let program = Program::run(&arguments, &KEY_PAIR, "h\n");
    program.delete(credentials(), &["b c", "d", "e\nf", "g", "h"]).unwrap();
    assert_eq!(
        program.stop().tally(),
        json!({ "requests": 1, "keys": 5, "deleted": 5, "remaining": 1 })
    );
}

#[test]
fn another_index_is_served_only_under_its_names() {
    let place = [
        "--region",
        "cn-beijing",
        "--account-id",
        "42",
        "--bucket",
        "mine",
        "--index-name",
        "mineindex",
    ];
    let program = Program::start(&place);
    let refused = program.delete(credentials(), &["doc-001"]).unwrap_err();
    assert_eq!(error_of(&refused), (403, code::SIGNATURE_DOES_NOT_MATCH));
    assert_eq!(
        program.stop().tally(),
        json!({ "requests": 1, "keys": 0, "deleted": 0, "remaining": 999 })
    );

    let program = Program::start(&["--index-name", "mineindex"]);
    let refused = program.delete(credentials(), &["doc-001"]).unwrap_err();
    assert_eq!(error_of(&refused), (404, code::NO_SUCH_VECTOR_INDEX));
}

#[test]
fn deleting_needs_the_key_pair_and_the_token() {
    let [id, secret] = KEY_PAIR;
    let program = Program::run(&[], &[id, secret, ("OSS_SESSION_TOKEN", TOKEN)], "");
    let wrong = Credentials::new(id.1, WRONG_SECRET).unwrap().with_security_token(TOKEN).unwrap();
    let unknown = Credentials::new("another", SECRET).unwrap();
    for (credentials, expected) in [
        (wrong, code::SIGNATURE_DOES_NOT_MATCH),
        (unknown, code::INVALID_ACCESS_KEY_ID),
        (credentials(), code::INVALID_SECURITY_TOKEN),
    ] {
        let refused = program.delete(credentials, &["doc-001"]).unwrap_err();
        assert_eq!(error_of(&refused), (403, expected));
    }
    program.delete(credentials().with_security_token(TOKEN).unwrap(), &["doc-001"]).unwrap();
    assert_eq!(
        program.stop().tally(),
        json!({ "requests": 4, "keys": 1, "deleted": 1, "remaining": 998 })
    );
}

#[test]
fn requests_over_the_limit_are_throttled() {
    let program = Program::start(&["--max-qps", "0.001"]);
    program.delete(credentials(), &["doc-001"]).unwrap();
    let refused = program.delete(credentials(), &["doc-002"]).unwrap_err();
    assert_eq!(error_of(&refused), (503, code::QPS_LIMIT_EXCEEDED));
    assert_eq!(
        program.stop().tally(),
        json!({ "requests": 2, "keys": 1, "deleted": 1, "remaining": 998 })
    );
}

#[test]
fn other_hosts_are_served_with_an_option() {
    let program = Program::start(&["--listen", "0.0.0.0:0", "--allow-remote"]);
    assert!(program.url().starts_with("http://0.0.0.0:"), "{}", program.url());
    for loopback in ["127.0.0.2:0", "[::ffff:127.0.0.1]:0"] {
        assert!(
            Program::start(&["--listen", loopback]).stop().tally()["requests"] == 0,
            "{loopback}"
        );
    }
}

#[test]
fn whole_vectors_come_from_json_lines() {
    let file = KeysFile::new(
        "vectors.jsonl",
        concat!(
            r#"{"key":"a","data":[0.5,1],"metadata":{"t":"x"}}"#,
            "\n\n",
            r#"{"key":"b","data":{"float32":[2]}}"#,
            "\r\n",
            r#"{"key":"c"}"#,
        ),
    );
    let program = Program::start(&["--vectors-from", file.path(), "--late-listing", "3600"]);
    let target = program.target();
    let signer = Signer::new(&target, credentials());
    let transport = UreqTransport::new(&TransportOptions::new());
    let list = ListVectors::new(&target);
    let filtered = list.clone().filter(r#"{"t":"x"}"#.parse().unwrap()).return_data();
    let page = transport.call(&filtered, &signer).unwrap();
    assert_eq!((page.vectors()[0].key(), page.vectors()[0].data()), ("a", Some(&[0.5, 1.0][..])));
    assert_eq!(page.vectors().len(), 1);
    program.delete(credentials(), &["a", "c"]).unwrap();
    assert_eq!(transport.call(&list, &signer).unwrap().vectors().len(), 3, "the listing is stale");
    let get = GetVectors::new(&target, KeyBatch::new(["a", "b", "c"]).unwrap()).unwrap();
    assert_eq!(transport.call(&get, &signer).unwrap().vectors().len(), 1);
    assert_eq!(
        program.stop().tally(),
        json!({ "requests": 4, "keys": 2, "deleted": 2, "remaining": 1 })
    );
}

#[test]
fn lines_that_are_not_vectors_are_rejected() {
    let file = KeysFile::new("bad.jsonl", "{\"key\":\"a\"}\n{\"key\":\"b\",\"data\":[true]}\n");
    let ended = Program::run(&["--vectors-from", file.path()], &KEY_PAIR, "").ended();
    let expected = format!(
        "error: --vectors-from {}, line 2: data.float32 must be an array of numbers\n",
        file.path()
    );
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(2), expected.as_str()));
}
