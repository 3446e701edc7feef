//! `--dry-run`: prints the signed requests, and sends nothing.

use std::time::{Duration, SystemTime};

use oss_delete_vectors::signing::Signer;
use oss_delete_vectors::{DeleteVectors, KeyBatch};
use serde_json::Value;

use crate::calls::time;
use crate::canary::TOKEN;
use crate::program::{CREDENTIALS, File, PLACE, Service, USAGE, credentials, run, target};

fn dry_run(options: &[&str], environment: &[(&str, &str)]) -> crate::program::Run {
    run(PLACE.into_iter().chain(["--dry-run"]).chain(options.iter().copied()), environment)
}

/// No total if the disk was full before the end.
#[cfg(target_os = "linux")]
#[test]
fn truncated_output_has_no_total() {
    let options = ["--dry-run", "--index-name", "i", "--keys", r#"["a"]"#];
    let mut command = crate::program::command(PLACE.into_iter().chain(options), &CREDENTIALS);
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let run = crate::program::checked(command.stdout(full).output().unwrap());
    let last = "error: cannot write the output: No space left on device (os error 28)\n\
                the output is not complete; nothing was sent\n";
    assert!(run.code == USAGE && run.stderr.ends_with(last), "{run:?}");
}

/// The conformance case `count/two`. The signature is that of the official SDKs.
#[test]
fn the_line_equals_the_request_of_the_official_sdks() {
    let keys = r#"["key1","key2"]"#;
    let run = dry_run(
        &["--index-name", "exampleindex", "--keys", keys, "--signing-time", "1702743657"],
        &CREDENTIALS,
    );
    let expected = concat!(
        r#"{"method":"POST","url":"https://examplebucket-1234567890123456.cn-hangzhou.oss-vectors.aliyuncs.com/?deleteVectors","#,
        r#""headers":{"authorization":"OSS4-HMAC-SHA256 Credential=LTAI5tConformanceKey0001/20231216/cn-hangzhou/oss/aliyun_v4_request,"#,
        r#"Signature=06a04456ddf8c02e786f1452d0aadcb3e9c2967b0544bc43e5c7c8f55c8fb4b3","content-md5":"EO3pBiom38iIltJ7egakxg==","#,
        r#""content-type":"application/json","date":"Sat, 16 Dec 2023 16:20:57 GMT","user-agent":"oss-delete-vectors/"#,
        env!("CARGO_PKG_VERSION"),
        r#"","x-oss-content-sha256":"UNSIGNED-PAYLOAD","x-oss-date":"20231216T162057Z"},"#,
        r#""body":"{\"indexName\":\"exampleindex\",\"keys\":[\"key1\",\"key2\"]}"}"#,
        "\n",
    );
    assert_eq!(run.stdout, expected);
    assert_eq!(
        run.stderr,
        "warning: each request holds a signature by your credentials, and their security token if there is one: \
         anyone who has it can send it within 15 minutes of its date\n\
         1 request for 2 keys; nothing was sent\n",
    );
    assert_eq!(run.code, Some(0));
}

#[test]
fn the_line_with_a_token_equals_the_request_of_the_library() {
    let environment = [CREDENTIALS[0], CREDENTIALS[1], ("OSS_SESSION_TOKEN", TOKEN)];
    let keys = ["doc-001", "ключ \"\\ \u{7f}😀"];
    let json = serde_json::to_string(&keys).unwrap();
    let run = dry_run(
        &["--index-name", "vectorindex1", "--keys", &json, "--signing-time", "1702743657"],
        &environment,
    );
    assert_eq!(run.code, Some(0), "{run:?}");

    let mut expected = DeleteVectors::new(&target(), KeyBatch::new(keys).unwrap()).to_request();
    let signer = Signer::new(&target(), credentials().with_security_token(TOKEN).unwrap());
    signer.sign(&mut expected, time());
    let line = run.json();
    assert_eq!(line["method"], expected.method().as_str());
    assert_eq!(line["url"], expected.uri().to_string());
    assert_eq!(line["body"].as_str().unwrap().as_bytes(), expected.body());
    let headers = line["headers"].as_object().unwrap();
    assert_eq!(headers.len(), expected.headers().len());
    for (name, value) in expected.headers() {
        assert_eq!(headers[name.as_str()], value.to_str().unwrap());
    }
}

#[test]
fn every_request_is_a_line() {
    let keys: Vec<String> = (0..1100).map(|number| format!("doc-{number:04}")).collect();
    let file = File::new("dry-run", "txt", keys.join("\n"));
    let options = [
        "--index-name",
        "vectorindex1",
        "--keys-from",
        file.path(),
        "--keys",
        r#"["first","doc-0000"]"#,
    ];
    let run = dry_run(&options, &CREDENTIALS);
    let bodies: Vec<Value> = run
        .stdout
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["body"].clone())
        .collect();
    let sent = bodies
        .iter()
        .map(|body| serde_json::from_str::<Value>(body.as_str().unwrap()).unwrap()["keys"].clone());
    let sent: Vec<Vec<String>> = sent.map(|keys| serde_json::from_value(keys).unwrap()).collect();
    // The duplicate key is left out of its batch.
    assert_eq!(sent.iter().map(Vec::len).collect::<Vec<_>>(), [500, 500, 101]);
    assert_eq!(
        (sent[0][0].as_str(), sent[0][1].as_str(), sent[0][2].as_str()),
        ("first", "doc-0000", "doc-0001")
    );
    assert_eq!(sent[2].last().unwrap(), "doc-1099");
    assert!(run.stderr.ends_with("\n3 requests for 1,101 keys; nothing was sent\n"), "{run:?}");
}

#[test]
fn a_bad_line_ends_it_like_a_run() {
    let file = File::new("dry-run-bad", "jsonl", "\"a\"\nb\n");
    let run = dry_run(&["--index-name", "vectorindex1", "--keys-from", file.path()], &CREDENTIALS);
    assert_eq!(run.code, USAGE, "{run:?}");
    let expected = format!(
        "error: {}, line 2: not JSON: expected value at line 1 column 1\n\
         help: correct it, or try again with --on-bad-key skip, which skips such lines\n",
        file.path(),
    );
    assert!(run.stderr.ends_with(&expected), "{run:?}");
}

#[test]
fn the_default_date_is_now() {
    let run = dry_run(&["--index-name", "vectorindex1", "--keys", r#"["doc-001"]"#], &CREDENTIALS);
    let date = httpdate::parse_http_date(run.json()["headers"]["date"].as_str().unwrap()).unwrap();
    assert!(SystemTime::now().duration_since(date).unwrap() < Duration::from_secs(60), "{date:?}");
}

#[test]
fn nothing_is_sent_and_no_question_is_asked() {
    let service = Service::start();
    let options =
        ["--index-name", "vectorindex1", "--keys", r#"["doc-001"]"#, "--endpoint", &service.url()];
    let run = dry_run(&options, &CREDENTIALS);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert_eq!(run.json()["url"], format!("{}/examplebucket/?deleteVectors", service.url()));
    assert_eq!(service.emulator().requests(), 0);
}
