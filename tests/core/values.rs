//! Valid values, and the exact errors of invalid ones.

use crate::calls::{ACCOUNT_ID, BUCKET, INDEX, REGION, target};
use oss_delete_vectors::{Credentials, Endpoint, InvalidValue, Key, Target};

fn at(endpoint: &str) -> Result<Target, InvalidValue> {
    Target::builder()
        .region(REGION)
        .account_id(ACCOUNT_ID)
        .bucket(BUCKET)
        .endpoint(endpoint.parse()?)
        .build()
}

/// Asserts the field, the rule and the value of an error, and its text.
#[track_caller]
fn assert_invalid<T>(
    outcome: Result<T, InvalidValue>,
    field: &str,
    rule: &str,
    value: Option<&str>,
) {
    let Err(error) = outcome else { panic!("{field} {rule}: {value:?} is accepted") };
    assert_eq!((error.field(), error.rule(), error.value()), (field, rule, value));
    let value = value.map_or(String::new(), |value| format!(", not {value:?}"));
    assert_eq!(error.to_string(), format!("{field} {rule}{value}"));
}

#[test]
fn endpoints_become_uris() {
    for (endpoint, uri) in [
        (
            "vectors.example.com",
            "https://examplebucket-1234567890123456.vectors.example.com/?deleteVectors",
        ),
        (
            "http://vectors.example.com",
            "http://examplebucket-1234567890123456.vectors.example.com/?deleteVectors",
        ),
        (
            "HTTP://Vectors.Example.COM:8080/a/b",
            "http://examplebucket-1234567890123456.vectors.example.com:8080/?deleteVectors",
        ),
        ("h.i:1/", "https://examplebucket-1234567890123456.h.i:1/?deleteVectors"),
        ("h.i:65535", "https://examplebucket-1234567890123456.h.i:65535/?deleteVectors"),
        ("a_b.c", "https://examplebucket-1234567890123456.a_b.c/?deleteVectors"),
        ("http://emulator:9000", "http://emulator:9000/examplebucket/?deleteVectors"),
        ("my_service", "https://my_service/examplebucket/?deleteVectors"),
        ("xn--fiqs8s.1a", "https://examplebucket-1234567890123456.xn--fiqs8s.1a/?deleteVectors"),
        ("127.0.0.1", "https://127.0.0.1/examplebucket/?deleteVectors"),
        ("http://127.0.0.1:9000/prefix", "http://127.0.0.1:9000/examplebucket/?deleteVectors"),
        ("[::1]", "https://[::1]/examplebucket/?deleteVectors"),
        ("http://[2001:DB8::1]:9000", "http://[2001:db8::1]:9000/examplebucket/?deleteVectors"),
        ("http://LocalHost:9000", "http://localhost:9000/examplebucket/?deleteVectors"),
    ] {
        assert_eq!(at(endpoint).unwrap().uri(), uri, "{endpoint}");
    }
}

#[test]
fn the_address_style_can_be_chosen() {
    let uri = |endpoint: Endpoint| {
        let target =
            Target::builder().region(REGION).account_id(ACCOUNT_ID).bucket("examplebucket");
        target.endpoint(endpoint).build().map(|target| target.uri().to_string())
    };
    let parse = |text: &str| text.parse::<Endpoint>().unwrap();
    assert_eq!(
        uri(parse("http://gateway:9000").with_virtual_hosted_style()).unwrap(),
        "http://examplebucket-1234567890123456.gateway:9000/?deleteVectors"
    );
    assert_eq!(
        uri(parse("a.b").with_path_style()).unwrap(),
        "https://a.b/examplebucket/?deleteVectors"
    );
    let invalid = uri(parse("127.0.0.1").with_virtual_hosted_style()).unwrap_err();
    assert_eq!(invalid.field(), "host");
}

#[test]
fn endpoints_display_in_the_form_that_is_parsed() {
    for (endpoint, shown) in [
        (Endpoint::default(), "https://{region}.oss-vectors.aliyuncs.com"),
        (
            Endpoint::internal().with_plain_http(),
            "http://{region}-internal.oss-vectors.aliyuncs.com",
        ),
        ("Example.com:80/x".parse().unwrap(), "https://example.com:80"),
    ] {
        assert_eq!(endpoint.to_string(), shown);
    }
    let read_again =
        |endpoint: &str| endpoint.parse::<Endpoint>().unwrap().to_string().parse::<Endpoint>();
    assert_eq!(read_again("[::1]:9000"), "[::1]:9000".parse());
    assert_eq!(read_again("http://h"), "http://h".parse());
}

#[test]
fn invalid_endpoints_are_rejected() {
    let label_of_64 = "a".repeat(64);
    let port_of_zeros = format!("h:{}80", "0".repeat(70_000));
    let name_of_254 = format!("{}.{}", "a.".repeat(125), "abc");
    assert_eq!(name_of_254.len(), 254);
    for endpoint in [
        "",
        "https://",
        "https:///path",
        "://h",
        "ftp://h",
        " h",
        "h ",
        "h?a",
        "h#a",
        "h\\a",
        "h:",
        "h:0",
        "h:65536",
        "h:000080",
        &port_of_zeros,
        "h:+1",
        "h:1:2",
        "h..i",
        ".h",
        "h.",
        "-h",
        "h-",
        "127.1",
        "1.2.3.256",
        "1.2.3.4.5",
        "::1",
        "[::1",
        "[::g]",
        "[127.0.0.1]",
        "[::1]9000",
        "例子.中国",
        &label_of_64,
        &name_of_254,
    ] {
        let rule = "must be [http[s]://]host[:port], the host a DNS name or an IP address";
        assert_invalid(endpoint.parse::<Endpoint>(), "endpoint", rule, Some(&shown(endpoint)));
    }
}

/// The value as an error shows it: cut after 80 characters.
fn shown(value: &str) -> String {
    let cut: String = value.chars().take(80).collect();
    if cut == value { cut } else { cut + "…" }
}

#[test]
fn errors_do_not_repeat_user_info_of_an_endpoint() {
    let rule = "must be [http[s]://]host[:port], the host a DNS name or an IP address";
    for endpoint in ["https://user:password@h", "user@h", "ftp://user:password@h"] {
        assert_invalid(endpoint.parse::<Endpoint>(), "endpoint", rule, None);
    }
}

#[test]
fn valid_targets_are_accepted() {
    let longest = "a".repeat(63);
    for (region, account_id, bucket) in [
        ("cn-hangzhou", "1234567890123456", "abc"),
        ("a", "0", "0-a--b-9"),
        ("a", "1", &"b".repeat(32)),
        (&longest, "12345678901234567890123456789012", "abc"),
    ] {
        let target =
            Target::builder().region(region).account_id(account_id).bucket(bucket).build().unwrap();
        assert_eq!(
            (target.region(), target.account_id(), target.bucket()),
            (region, account_id, bucket)
        );
        assert_eq!(target.index_name(), None);
        assert_eq!(
            target.uri(),
            &*format!(
                "https://{bucket}-{account_id}.{region}.oss-vectors.aliyuncs.com/?deleteVectors"
            )
        );
        assert_eq!(target.to_string(), format!("acs:ossvector:{region}:{account_id}:{bucket}"));
    }
}

#[test]
fn invalid_targets_are_rejected() {
    let region = "must be 1 to 63 characters of a-z, 0-9 and '-', with no '-' at either end";
    let account_id = "must be 1 to 32 digits";
    let bucket = "must be 3 to 32 characters of a-z, 0-9 and '-', with no '-' at either end";
    let (characters_64, digits_33) = ("a".repeat(64), "1".repeat(33));
    for value in ["", "CN", "a_b", "a.b", "a/b", "-a", "a-", "é", &characters_64] {
        assert_invalid(
            Target::builder().region(value).account_id(ACCOUNT_ID).bucket(BUCKET).build(),
            "region",
            region,
            Some(value),
        );
    }
    for value in ["", "12a", "-1", " 1", "１２", &digits_33] {
        assert_invalid(
            Target::builder().region(REGION).account_id(value).bucket(BUCKET).build(),
            "account id",
            account_id,
            Some(value),
        );
    }
    for value in ["", "ab", "Abc", "a_b", "a.b", "a/b", "-ab", "ab-", "äbc", &"a".repeat(33)] {
        assert_invalid(
            Target::builder().region(REGION).account_id(ACCOUNT_ID).bucket(value).build(),
            "bucket",
            bucket,
            Some(value),
        );
    }
    let empty_index = Target::builder()
        .region(REGION)
        .account_id(ACCOUNT_ID)
        .bucket(BUCKET)
        .index_name("")
        .build();
    assert_invalid(empty_index, "index name", "must not be empty", Some(""));
    assert_invalid(target().with_index_name(Some("")), "index name", "must not be empty", Some(""));
}

#[test]
fn bucket_and_account_share_one_label_of_the_host() {
    let builder = |digits: usize| {
        Target::builder().region(REGION).account_id("1".repeat(digits)).bucket("b".repeat(32))
    };
    assert!(builder(30).build().is_ok());
    let rule = "must be a DNS name: at most 63 characters between dots, 253 in all";
    let host = format!("{}-{}.{REGION}.oss-vectors.aliyuncs.com", "b".repeat(32), "1".repeat(31));
    assert_invalid(builder(31).build(), "host", rule, Some(&shown(&host)));
    let path_style = builder(32).endpoint(Endpoint::public().with_path_style()).build().unwrap();
    assert_eq!(path_style.uri().path(), format!("/{}/", "b".repeat(32)));
}

#[test]
fn arns_are_rejected_with_an_explanation() {
    let rule = "must be the name alone, not an ARN: give its region, account id, bucket and index name each by itself";
    for arn in [
        "acs:ossvector:cn-hangzhou:1234567890123456:examplebucket",
        "acs:ossvector:cn-hangzhou:1234567890123456:examplebucket/vectorindex1",
        "acs:ossvector:cn-hangzhou:1234567890123456:examplebucket/vectorindex1/*",
        "ACS:oss:*:*:examplebucket",
        "acs:",
    ] {
        assert_invalid(
            Target::builder().region(REGION).account_id(ACCOUNT_ID).bucket(arn).build(),
            "bucket",
            rule,
            Some(&shown(arn)),
        );
        assert_invalid(
            Target::builder()
                .region(REGION)
                .account_id(ACCOUNT_ID)
                .bucket(BUCKET)
                .index_name(arn)
                .build(),
            "index name",
            rule,
            Some(&shown(arn)),
        );
        assert_invalid(target().with_index_name(Some(arn)), "index name", rule, Some(&shown(arn)));
    }
}

#[test]
fn endpoint_with_the_bucket_is_rejected() {
    let host = "examplebucket-1234567890123456.cn-hangzhou.oss-vectors.aliyuncs.com";
    assert_invalid(
        at(host),
        "endpoint",
        "must not name the bucket: it is put before the host",
        Some(host),
    );
}

#[test]
fn any_index_name_but_an_empty_one_is_accepted() {
    for index_name in ["i", "1-invalid-for-the-service", "é\u{0}", &"i".repeat(5000)] {
        let target = target().with_index_name(Some(index_name)).unwrap();
        assert_eq!(target.index_name(), Some(index_name));
        assert_eq!(
            target.to_string(),
            format!("acs:ossvector:{REGION}:{ACCOUNT_ID}:{BUCKET}/{index_name}")
        );
    }
    let without = target().with_index_name(None).unwrap();
    assert_eq!(without.index_name(), None);
    assert_eq!(without.with_index_name(Some(INDEX)).unwrap(), target());
}

#[test]
fn keys_are_limited_in_characters() {
    for text in
        ["a", "\0", " ", "\u{10ffff}", &"a".repeat(1024), &"é".repeat(1024), &"😀".repeat(1024)]
    {
        assert_eq!(Key::new(text).unwrap().as_str(), text);
    }
    for text in ["", &"a".repeat(1025), &"é".repeat(1025), &"😀".repeat(1025), &"a".repeat(4097)]
    {
        assert_invalid(Key::new(text), "key", "must be 1 to 1024 characters", Some(&shown(text)));
    }
    assert_eq!(
        format!("[{:>4}|{:<3}]", Key::new("é").unwrap(), Key::new("b").unwrap()),
        "[   é|b  ]"
    );
}

#[test]
fn access_key_id_must_be_header_text() {
    for id in ["a", "LTAI5tExample", "STS.NSxKtestid", "a/b+c=d&e f", "~!"] {
        assert_eq!(Credentials::new(id, "s").unwrap().access_key_id(), id);
    }
    let rule = "must be printable ASCII without commas and without spaces at the ends, at least one character";
    for id in ["", " a", "a ", "a,b", "é", "a\nb", "a\tb", "\u{7f}"] {
        // The value may be the secret.
        assert_invalid(Credentials::new(id, "s"), "access key id", rule, None);
    }
}

#[test]
fn invalid_secrets_are_not_repeated() {
    for secret in ["s", "密钥é😀", "a b", &"q".repeat(10_000)] {
        assert!(Credentials::new("id", secret).is_ok(), "{secret}");
    }
    let rule = "must not be empty, have white space at the ends or control characters";
    for secret in ["", " s", "s\n", "s\r\n", "\u{a0}s", "a\0b", "a\u{7f}b"] {
        assert_invalid(Credentials::new("id", secret), "access key secret", rule, None);
    }
    let with_token = |token: &str| Credentials::new("id", "s").unwrap().with_security_token(token);
    for token in ["", "t", "to ken/+=", "a,b"] {
        assert!(with_token(token).is_ok(), "{token}");
    }
    for token in [" t", "t\n", "é", "a\0b", " "] {
        assert_invalid(
            with_token(token),
            "security token",
            "must be printable ASCII without spaces at the ends",
            None,
        );
    }
}

#[test]
fn resource_debug_shows_text() {
    let shown = format!("{:?}", oss_delete_vectors::signing::Resource::from(&target()));
    let name = "acs:ossvector:cn-hangzhou:1234567890123456:examplebucket";
    assert_eq!(shown, format!(r#"Resource {{ region: "cn-hangzhou", name: "{name}", .. }}"#));
}

#[test]
fn equal_targets_have_equal_hashes() {
    let elsewhere = at("http://vectors.example.com").unwrap();
    let set = std::collections::HashSet::from([
        target(),
        elsewhere.clone(),
        target().with_index_name(None).unwrap(),
    ]);
    assert_eq!(set.len(), 3);
    assert!(set.contains(&target()) && set.contains(&elsewhere));
}
