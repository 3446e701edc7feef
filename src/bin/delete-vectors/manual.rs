//! The examples and sections of the man page. The options come from `args`.

use crate::exit::CODES;
use crate::generate::Manual;

pub(crate) const MANUAL: Manual = Manual { examples: EXAMPLES, sections: SECTIONS };

const EXAMPLES: &[(&str, &str)] = &[
    ("index_name", "--index-name vectorindex1"),
    (
        "keys",
        r#"--keys doc-001,doc-002; --keys '["with, comma"]'; --keys file://keys.json; or --keys - for stdin"#,
    ),
    (
        "keys_from",
        "--keys-from keys.txt --keys-from more.jsonl; or grep ^old- keys.txt | delete-vectors ... --keys-from -",
    ),
    (
        "keys_format",
        "zcat keys.jsonl.gz | delete-vectors ... --keys-from - --keys-format jsonl; --keys-format lines accepts any line",
    ),
    (
        "on_bad_key",
        "--keys-from keys.txt --on-bad-key skip, to leave out and count lines that hold no key",
    ),
    ("prefix", "--prefix doc-42#"),
    ("filter", r#"--filter '{"tenant":"acme"}', or --filter file://filter.json"#),
    ("all", "--all, which asks for the name of the index; or --all --force"),
    ("segments", "--all --segments 16"),
    (
        "passes",
        "--prefix doc-42# --passes 3; with 1, no later pass proves that nothing is left, unless \
         --verify lists once more",
    ),
    ("region", "--region cn-hangzhou"),
    ("account_id", "--account-id 1234567890123456"),
    ("bucket", "--bucket examplebucket"),
    ("endpoint", "--endpoint internal, or --endpoint http://127.0.0.1:9000"),
    ("addressing_style", "--endpoint https://gateway.example.com --addressing-style path"),
    (
        "proxy",
        "--proxy http://user:password@proxy.example.com:8080, or --proxy none to ignore the variables",
    ),
    ("skip_verify_cert", "--skip-verify-cert is not supported: use --ca-file"),
    ("ca_file", "--endpoint https://vectors.example.com --ca-file ca.pem"),
    ("emulator", r#"--emulator --index-name vectorindex1 --keys '["doc-001"]'"#),
    ("profile", "--profile prod, for the section [profile prod]"),
    ("config_file", "--config-file ./ossutilconfig"),
    ("credential_process", "--credential-process 'vault-credentials --role vectors'"),
    ("force", "--force, in a script"),
    ("dry_run", "--dry-run | jq .headers"),
    ("verify", "--keys-from keys.txt --verify --failed-keys failed.jsonl"),
    ("signing_time", "--dry-run --signing-time 1702743657"),
    ("concurrency", "--concurrency 64, or -j 64"),
    (
        "max_qps",
        "--max-qps 5, to leave the rest of the limit to others; deletes never exceed it, nor do the \
         listings and look-ups, but both together may",
    ),
    (
        "max_keys_per_second",
        "--max-keys-per-second 1000, to leave the rest of the limit to a writer",
    ),
    ("max_attempts", "--max-attempts 3"),
    ("retry_times", "--retry-times 2, as in ossutil: the same as --max-attempts 3"),
    ("give_up_after", "--give-up-after 2h"),
    ("timeout", "--timeout 20, or --read-timeout 20"),
    ("connect_timeout", "--connect-timeout 5"),
    ("transport", "--transport ureq"),
    ("checkpoint", "--keys-from keys.txt --checkpoint keys.checkpoint"),
    ("failed_keys", "--failed-keys failed.jsonl; then delete-vectors ... --keys-from failed.jsonl"),
    ("deleted_keys", "--filter '{\"tenant\":\"acme\"}' --verify --deleted-keys receipt.jsonl"),
    ("output_format", "--output-format json | jq .deleted"),
    ("progress", "--progress always 2>progress.log"),
    ("quiet", "--quiet, for a script that checks the exit code"),
    ("verbose", "--verbose, or -vv"),
    ("help", "--help, or -h for the most used options"),
    ("version", "--version, or -V"),
    (
        "generate",
        "--generate man | man -l -; or --generate bash >/etc/bash_completion.d/delete-vectors",
    ),
];

const SECTIONS: &[(&str, &[(&str, &str)])] = &[
    (
        "CREDENTIALS",
        &[
            (
                "Sources",
                "The first of these that is configured: --credential-process; the variables below; OIDC; the profile; the platform. If it fails, no other is tried.",
            ),
            (
                "mode in a profile",
                "AK, StsToken: the pair and the token. EcsRamRole: ecs-role-name. oidcRoleArn: role-arn, oidc-provider-arn, oidc-token-file-path. Process: credential-process, credential-process-timeout. CredentialsURI: credential-uri. RamRoleArn: role-arn, external-id. External: process-command.",
            ),
            (
                "source-profile",
                "The profile whose credentials assume the role of role-arn; it may have a source-profile of its own.",
            ),
            (
                "Platform",
                "ALIBABA_CLOUD_CREDENTIALS_URI, or the RAM role of the ECS instance, which is tried last, for one second, and never through a proxy.",
            ),
        ],
    ),
    (
        "ENVIRONMENT",
        &[
            (
                "OSS_ACCESS_KEY_ID, OSS_ACCESS_KEY_SECRET",
                "The AccessKey pair. There is no option for it.",
            ),
            ("OSS_SESSION_TOKEN", "The security token of STS credentials."),
            (
                "ALIBABA_CLOUD_ACCESS_KEY_ID, ALIBABA_CLOUD_ACCESS_KEY_SECRET, ALIBABA_CLOUD_SECURITY_TOKEN",
                "The same, if those of OSS are not set.",
            ),
            (
                "ALIBABA_CLOUD_ROLE_ARN, ALIBABA_CLOUD_OIDC_PROVIDER_ARN, ALIBABA_CLOUD_OIDC_TOKEN_FILE, ALIBABA_CLOUD_ROLE_SESSION_NAME",
                "A role with an OIDC token, as set by RRSA of ACK.",
            ),
            (
                "ALIBABA_CLOUD_STS_REGION, ALIBABA_CLOUD_VPC_ENDPOINT_ENABLED",
                "The region of STS, and whether to use its VPC endpoint.",
            ),
            (
                "ALIBABA_CLOUD_ECS_METADATA, ALIBABA_CLOUD_ECS_METADATA_DISABLED, ALIBABA_CLOUD_IMDSV1_DISABLED",
                "The role of the instance; true disables it, or requests without a token.",
            ),
            (
                "HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY",
                "Proxies, as for curl; lower-case names take precedence.",
            ),
            ("OSS_REGION", "Region, unless --region is given."),
            ("OSS_ENDPOINT", "Endpoint, unless --endpoint is given."),
            ("OSSUTIL_CONFIG_FILE", "Configuration file, unless --config-file is given."),
            ("OSSUTIL_PROFILE", "Profile, unless --profile is given."),
        ],
    ),
    (
        "FILES",
        &[
            (
                "~/.ossutilconfig",
                "Region, endpoint, account id and credentials, by profile; the file of ossutil.",
            ),
            ("--checkpoint PATH", "The progress of the run. Removed once every key is deleted."),
            (
                "--failed-keys PATH",
                "A line of JSON for each key that was read but not deleted; --keys-from reads it.",
            ),
            (
                "--deleted-keys PATH",
                "A line of JSON for each key that was deleted: key, outcome, request_id, time, run.",
            ),
        ],
    ),
    ("EXIT STATUS", CODES),
    (
        "SUMMARY",
        &[
            ("keys_read", "Keys that were read. Each is counted in one of the next five."),
            ("deleted", "Keys that the service confirmed, whether there was a vector or not."),
            ("rejected", "The service rejected them and did not delete them."),
            ("unconfirmed", "May have been deleted; no response confirmed it."),
            ("not_attempted", "Never sent."),
            ("duplicates", "Repeats of a key in the same batch."),
            ("bad_lines", "Lines that were skipped because they have no key."),
            (
                "input_complete",
                "Whether the input was read to its end. If not, the rest is in no count and no file.",
            ),
            (
                "requests, throttled, retries",
                "Requests sent; of these throttled; batches sent again after a failure.",
            ),
            (
                "errors",
                "Keys that were not deleted, grouped by their last error: code, status, count, message, request_id.",
            ),
            ("elapsed_seconds", "Duration of the run, including the runs that it resumed."),
            ("request_id", "The service's id of the latest request. Omitted if there is none."),
            ("error", "Why the run stopped early. Omitted if it did not."),
            (
                "passes, is_clear",
                "With --prefix, --filter or --all: how many times the index was listed, and whether the \
                 last pass found no key.",
            ),
            (
                "verified",
                "With --verify, by look-up: keys looked up, those that are present, and unconfirmed \
                 ones that are confirmed. With --prefix, --filter or --all, by listing: keys that the \
                 last pass, or another listing, found to be present.",
            ),
            ("emulator", "With --emulator: vectors_before, vectors_after."),
        ],
    ),
];
