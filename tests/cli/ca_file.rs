//! `--ca-file`: a private certificate authority.

use crate::certificates::Authority;
use crate::home::Home;
use crate::program::{CREDENTIALS, PLACE, Run, TRANSPORTS, UNREACHABLE, USAGE, run};

fn delete(endpoint: &str, options: &[&str]) -> Run {
    let what = [
        "--index-name",
        "vectorindex1",
        "--keys",
        r#"["doc-001"]"#,
        "--force",
        "--endpoint",
        endpoint,
    ];
    run(PLACE.into_iter().chain(what).chain(options.iter().copied()), &CREDENTIALS)
}

#[test]
fn server_is_trusted_only_with_its_ca_file() {
    let home = Home::new("server_is_trusted_only_with_its_ca_file");
    let authority = Authority::new();
    let peer = authority.serve("localhost");
    let (url, file) =
        (format!("https://localhost:{}", peer.port()), home.write("ca.pem", authority.pem()));
    for transport in TRANSPORTS {
        let trusted = delete(&url, &["--ca-file", &file, "--transport", transport]);
        assert_eq!((trusted.code, trusted.stderr.as_str()), (Some(0), ""), "{trusted:?}");
        let not_trusted = delete(&url, &["--transport", transport]);
        assert_eq!(not_trusted.code, UNREACHABLE, "{not_trusted:?}");
        assert!(not_trusted.stderr.contains("note: nothing was deleted\n"), "{not_trusted:?}");
        assert!(
            not_trusted.stderr.contains(&format!("no connection to localhost:{}: ", peer.port())),
            "{not_trusted:?}"
        );
        let help = "help: give the certificate of the authority that signed it with --ca-file\n";
        assert!(not_trusted.stderr.contains(help), "{not_trusted:?}");
    }
}

#[test]
fn a_file_without_a_certificate_is_rejected() {
    let home = Home::new("a_file_without_a_certificate_is_rejected");
    let empty = home.write("empty.pem", "");
    let rejected = delete("http://127.0.0.1:1", &["--ca-file", &empty]);
    assert_eq!((rejected.code, rejected.stdout.as_str()), (USAGE, ""));
    assert_eq!(
        rejected.stderr,
        format!("error: --ca-file: {empty:?}: unusable root certificates: no certificate found\n")
    );

    let absent = home.file("absent.pem");
    let rejected = delete("http://127.0.0.1:1", &["--ca-file", &absent]);
    assert_eq!((rejected.code, rejected.stdout.as_str()), (USAGE, ""));
    assert!(
        rejected.stderr.starts_with(&format!("error: --ca-file: cannot read {absent:?}: ")),
        "{rejected:?}"
    );
}
