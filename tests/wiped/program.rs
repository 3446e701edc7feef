//! What the program holds in memory during a request, for each source of credentials.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::calls::{ACCESS_KEY_ID, ACCOUNT_ID, BUCKET, INDEX, REGION};
use crate::derived::derived;
use crate::memory::{Needle, copies_in};

/// Counts the secret and its derived keys while `delete-vectors` waits for a response.
fn found(
    secret: &Needle,
    transport: &str,
    options: &[&str],
    environment: &[(&str, String)],
) -> Vec<usize> {
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let mut command = Command::new(env!("CARGO_BIN_EXE_delete-vectors"));
    command.args([
        "--region",
        REGION,
        "--account-id",
        ACCOUNT_ID,
        "--bucket",
        BUCKET,
        "--index-name",
        INDEX,
    ]);
    command
        .args(["--keys", r#"["a"]"#, "--force", "--endpoint", &url, "--transport", transport])
        .args(options);
    command
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .envs(environment.iter().map(|(name, value)| (name, value)));
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();

    let (connection, _) = silent.accept().unwrap();
    let mut lines = BufReader::new(&connection).lines().map(Result::unwrap);
    let credential = format!("Credential={ACCESS_KEY_ID}/");
    let scope = lines
        .find_map(|line| Some(line.split_once(&credential)?.1.split_once(',')?.0.to_owned()))
        .unwrap();
    let keys = derived(secret, &scope);
    let found = copies_in(&child.id().to_string(), std::iter::once(secret).chain(&keys));
    child.kill().unwrap();
    child.wait().unwrap();
    found
}

const TRANSPORTS: [&str; 2] = ["hyper", "ureq"];

/// One copy of the secret, and the HMAC state of the key of the day.
const NEEDED: [usize; 7] = [1, 0, 0, 0, 0, 1, 1];

/// A file for one test, deleted on drop.
struct File(PathBuf);

impl File {
    fn new(name: &str, content: &str) -> Self {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
            .join(format!("{name}.{}", std::process::id()));
        fs::write(&path, content).unwrap();
        Self(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[test]
fn secret_in_the_environment_stays_in_the_environment() {
    for transport in TRANSPORTS {
        let secret = Needle::random(3000);
        let environment = [
            ("OSS_ACCESS_KEY_ID", ACCESS_KEY_ID.to_owned()),
            ("OSS_ACCESS_KEY_SECRET", secret.text()),
        ];
        assert_eq!(
            found(&secret, transport, &[], &environment),
            [2, 0, 0, 0, 0, 1, 1],
            "{transport}"
        );
    }
}

#[test]
fn config_file_is_wiped() {
    for transport in TRANSPORTS {
        let secret = Needle::random(3000);
        let filler = "# nothing\n".repeat(1000);
        let content = format!(
            "[default]\naccess-key-id={ACCESS_KEY_ID}\naccess-key-secret={}\n{filler}",
            secret.text()
        );
        let file = File::new("wiped-config", &content);
        assert_eq!(
            found(&secret, transport, &["--config-file", file.path()], &[]),
            NEEDED,
            "{transport}"
        );
    }
}

#[test]
fn output_of_credential_process_is_wiped() {
    for transport in TRANSPORTS {
        let secret = Needle::random(3000);
        let escaped: String =
            secret.letters().map(|letter| format!("\\u{:04x}", u32::from(letter))).collect();
        for text in [secret.text(), escaped] {
            let members = format!(
                r#""mode":"AK","access_key_id":"{ACCESS_KEY_ID}","access_key_secret":"{text}","sts_token":"{text}""#
            );
            let file = File::new(
                "wiped-process",
                &format!("{{{members},\"filler\":\"{}\"}}", "x".repeat(20_000)),
            );
            let command = format!("cat {}", file.path());
            assert_eq!(
                found(&secret, transport, &["--credential-process", &command], &[]),
                NEEDED,
                "{transport}"
            );
        }
    }
}

#[test]
fn response_of_credentials_uri_is_wiped() {
    for transport in TRANSPORTS {
        let secret = Needle::random(3000);
        let body = format!(
            r#"{{"AccessKeyId":"{ACCESS_KEY_ID}","AccessKeySecret":"{}","filler":"{}"}}"#,
            secret.text(),
            "x".repeat(20_000)
        );
        let service = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let uri = format!("http://{}/creds", service.local_addr().unwrap());
        std::thread::spawn(move || {
            let (mut connection, _) = service.accept().unwrap();
            assert!(connection.read(&mut [0; 4096]).unwrap() > 0);
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
            connection.write_all((head + &body).as_bytes()).unwrap();
        });
        let environment = [("ALIBABA_CLOUD_CREDENTIALS_URI", uri)];
        assert_eq!(found(&secret, transport, &[], &environment), NEEDED, "{transport}");
    }
}
