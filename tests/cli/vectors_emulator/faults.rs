//! `--faults`: injected faults are counted.

use std::time::Duration;

use oss_delete_vectors::AttemptError;
use oss_delete_vectors::bulk::BulkOptions;
use oss_delete_vectors::transports::{TransportOptions, UreqTransport};
use serde_json::json;

use super::program::{KeysFile, Program, credentials};

#[test]
fn every_configured_fault_is_counted() {
    let program = Program::start(&["--faults", "connection-refused=1,page=0.5,late-response=0"]);
    let failure = program.delete(credentials(), &["doc-001"]).unwrap_err();
    assert!(
        matches!(&failure, AttemptError::Transport(error) if !error.is_surely_not_sent()),
        "{failure}"
    );
    let tally = program.stop().tally();
    assert_eq!(tally["faults"], json!({ "connection-refused": 1, "page": 0 }));
    assert_eq!((&tally["requests"], &tally["deleted"]), (&json!(0), &json!(0)));

    let program = Program::start(&["--faults", ""]);
    program.delete(credentials(), &["doc-001"]).unwrap();
    let expected =
        json!({ "requests": 1, "keys": 1, "deleted": 1, "remaining": 998, "faults": {} });
    assert_eq!(program.stop().tally(), expected);
}

#[test]
fn the_same_seed_gives_the_same_faults() {
    let outcomes = |seed: &str| -> Vec<Option<u16>> {
        let program = Program::start(&["--faults", "server-error=0.5", "--seed", seed]);
        let status = |outcome| match outcome {
            Err(AttemptError::Service(error)) => Some(error.status().as_u16()),
            Err(error) => panic!("{error}"),
            Ok(_) => None,
        };
        let outcomes: Vec<_> =
            (0..20).map(|_| status(program.delete(credentials(), &["doc-001"]))).collect();
        let failed = outcomes.iter().flatten().count();
        assert_eq!(program.stop().tally()["faults"], json!({ "server-error": failed }));
        outcomes
    };
    assert_eq!(outcomes("7"), outcomes("7"));
    assert_ne!(outcomes("7"), outcomes("8"));
}

#[test]
fn a_run_through_faults_accounts_for_every_key() {
    let keys: Vec<String> = (0..5000).map(|number| format!("doc-{number}")).collect();
    let file = KeysFile::new("faults.txt", keys.join("\n"));
    let faults =
        "server-error=0.2,repeated-request=0.2,truncated-response=0.2,repeated-response=0.2";
    let program = Program::start(&["--keys-from", file.path(), "--faults", faults]);
    let options = BulkOptions::new().back_off(Duration::from_millis(10), Duration::from_millis(10));
    let transport = UreqTransport::new(&TransportOptions::new());
    let report = transport.delete(&program.target(), credentials(), keys, options).unwrap();
    assert_eq!((report.pending(), report.rejected, report.not_attempted), (0, 0, 0), "{report:?}");

    let tally = program.stop().tally();
    let deleted = tally["deleted"].as_u64().unwrap();
    assert!(
        (report.deleted..=report.deleted + report.unconfirmed).contains(&deleted),
        "{report:?} {tally}"
    );
    assert_eq!(deleted + tally["remaining"].as_u64().unwrap(), 5000);
    assert!(tally["keys"].as_u64().unwrap() >= deleted, "{tally}");
    assert_eq!(tally["faults"].as_object().unwrap().len(), 4);
}
