//! The examples and sections of the man page. The options come from `args`.

use crate::exit::CODES;
use crate::generate::Manual;

pub(crate) const MANUAL: Manual = Manual { examples: EXAMPLES, sections: SECTIONS };

const EXAMPLES: &[(&str, &str)] = &[
    ("index_name", "--index-name vectorindex1"),
    ("keys", r#"--keys '["doc-001","doc-002"]', or --keys file://keys.json"#),
    (
        "keys_from",
        "--keys-from keys.txt --keys-from more.jsonl; or grep ^old- keys.txt | delete-vectors ... --keys-from -",
    ),
    (
        "keys_format",
        "zcat keys.jsonl.gz | delete-vectors ... --keys-from - --keys-format jsonl; --keys-format lines takes any line",
    ),
    (
        "on_bad_key",
        "--keys-from keys.txt --on-bad-key skip, to leave out and count lines that hold no key",
    ),
    ("prefix", "--prefix doc-42#"),
    ("filter", r#"--filter '{"tenant":"acme"}', or --filter file://filter.json"#),
    ("all", "--all, after which the name of the index has to be typed; or --all --force"),
    ("segments", "--all --segments 16"),
    ("passes", "--prefix doc-42# --passes 3"),
    ("region", "--region cn-hangzhou"),
    ("account_id", "--account-id 1234567890123456"),
    ("bucket", "--bucket examplebucket"),
    ("endpoint", "--endpoint internal, or --endpoint http://127.0.0.1:9000"),
    ("ca_file", "--endpoint https://vectors.example.com --ca-file ca.pem"),
    ("emulator", r#"--emulator --index-name vectorindex1 --keys '["doc-001"]'"#),
    ("profile", "--profile prod, for the section [profile prod]"),
    ("config_file", "--config-file ./ossutilconfig"),
    ("credential_process", "--credential-process 'vault-credentials --role vectors'"),
    ("force", "--force, in a script that has asked already"),
    ("dry_run", "--dry-run | jq .headers"),
    ("verify", "--keys-from keys.txt --verify --failed-keys failed.jsonl"),
    ("signing_time", "--dry-run --signing-time 1702743657"),
    ("concurrency", "--concurrency 64, or -j 64"),
    ("max_qps", "--max-qps 5, to leave the rest of the limit to others"),
    (
        "max_keys_per_second",
        "--max-keys-per-second 1000, to leave the rest of the limit to a writer",
    ),
    ("max_attempts", "--max-attempts 3"),
    ("give_up_after", "--give-up-after 2h"),
    ("timeout", "--timeout 20"),
    ("transport", "--transport ureq"),
    ("checkpoint", "--keys-from keys.txt --checkpoint keys.checkpoint"),
    ("failed_keys", "--failed-keys failed.jsonl; then delete-vectors ... --keys-from failed.jsonl"),
    ("deleted_keys", "--filter '{\"tenant\":\"acme\"}' --verify --deleted-keys receipt.jsonl"),
    ("output_format", "--output-format json | jq .deleted"),
    ("progress", "--progress always 2>progress.log"),
    ("verbose", "--verbose, or -vv"),
    (
        "generate",
        "--generate man | man -l -; or --generate bash >/etc/bash_completion.d/delete-vectors",
    ),
];

const SECTIONS: &[(&str, &[(&str, &str)])] = &[
    (
        "CREDENTIALS",
        &[(
            "Sources",
            "The first of these that has any; sources are never mixed: --credential-process; the environment; the profile.",
        )],
    ),
    (
        "ENVIRONMENT",
        &[
            (
                "OSS_ACCESS_KEY_ID, OSS_ACCESS_KEY_SECRET",
                "The AccessKey pair. There is no option for it.",
            ),
            ("OSS_SESSION_TOKEN", "The security token of STS credentials."),
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
                "A line of JSON for each key that was read and not deleted; --keys-from reads it.",
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
            ("bad_lines", "Lines that were skipped because they hold no key."),
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
                "listings, is_clear",
                "With --prefix, --filter or --all: how often the index was listed, and whether the last \
                 listing found no key.",
            ),
            (
                "verified",
                "With --verify: keys looked up, those that are present, and unconfirmed ones that are \
                 confirmed.",
            ),
            ("emulator", "With --emulator: vectors_before, vectors_after."),
        ],
    ),
];
