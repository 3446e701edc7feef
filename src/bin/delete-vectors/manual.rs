//! What the man page has beside the options and their help.

use crate::generate::Manual;

pub(crate) const MANUAL: Manual = Manual { examples: EXAMPLES, sections: SECTIONS };

const EXAMPLES: &[(&str, &str)] = &[
    ("index_name", "--index-name vectorindex1"),
    ("keys", r#"--keys '["doc-001","doc-002"]', or --keys file://keys.json"#),
    ("keys_from", "--keys-from keys.txt --keys-from more.jsonl; or grep ^old- keys.txt | delete-vectors ... --keys-from -"),
    (
        "keys_format",
        "zcat keys.jsonl.gz | delete-vectors ... --keys-from - --keys-format jsonl; --keys-format lines takes any line",
    ),
    ("on_bad_key", "--keys-from keys.txt --on-bad-key skip, to leave out and count lines that hold no key"),
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
    ("signing_time", "--dry-run --signing-time 1702743657"),
    ("concurrency", "--concurrency 64, or -j 64"),
    ("max_qps", "--max-qps 5, to leave the rest of the limit to others"),
    ("max_keys_per_second", "--max-keys-per-second 1000, to leave the rest of the limit to a writer"),
    ("max_attempts", "--max-attempts 3"),
    ("give_up_after", "--give-up-after 2h"),
    ("timeout", "--timeout 20"),
    ("transport", "--transport ureq"),
    ("checkpoint", "--keys-from keys.txt --checkpoint keys.checkpoint"),
    ("failed_keys", "--failed-keys failed.jsonl; then delete-vectors ... --keys-from failed.jsonl"),
    ("output_format", "--output-format json | jq .deleted"),
    ("progress", "--progress always 2>progress.log"),
    ("verbose", "--verbose, or -vv"),
    ("generate", "--generate man | man -l -; or --generate bash >/etc/bash_completion.d/delete-vectors"),
];

const SECTIONS: &[(&str, &[(&str, &str)])] = &[
    (
        "CREDENTIALS",
        &[(
            "Sources",
            "The first of these that has any, and never parts of two: --credential-process; the environment; the profile.",
        )],
    ),
    (
        "ENVIRONMENT",
        &[
            ("OSS_ACCESS_KEY_ID, OSS_ACCESS_KEY_SECRET", "The AccessKey pair. Never given by option."),
            ("OSS_SESSION_TOKEN", "The security token of STS credentials."),
            ("OSS_REGION", "Region, where --region is not given."),
            ("OSS_ENDPOINT", "Endpoint, where --endpoint is not given."),
            ("OSSUTIL_CONFIG_FILE", "Configuration file, where --config-file is not given."),
            ("OSSUTIL_PROFILE", "Profile, where --profile is not given."),
        ],
    ),
    (
        "FILES",
        &[
            ("~/.ossutilconfig", "Region, endpoint, account id and credentials, by profile; the file of ossutil."),
            ("--checkpoint PATH", "How far the run is. Removed once all is deleted."),
            ("--failed-keys PATH", "A line of JSON for each key that was read and not deleted; --keys-from reads it."),
        ],
    ),
    (
        "EXIT STATUS",
        &[
            ("0", "The service confirmed every key of the input as deleted. A key that does not exist is confirmed too."),
            ("1", "Some keys are not deleted, or the question was answered with no."),
            ("2", "Bad usage or configuration; nothing was sent."),
            ("130", "Interrupted."),
        ],
    ),
    (
        "SUMMARY",
        &[
            ("keys_read", "Keys that were read. Each is in one of the next five."),
            ("deleted", "Keys that the service confirmed, whether there was a vector or not."),
            ("rejected", "Refused, and surely not deleted."),
            ("unconfirmed", "May have been deleted; no response confirmed it."),
            ("not_attempted", "Never sent, or surely not sent."),
            ("duplicates", "Given before in the same batch."),
            ("bad_lines", "Lines that were skipped because they hold no key."),
            ("input_complete", "Whether the input was read to its end. If not, the rest is in no count and no file."),
            ("requests, throttled, retries", "Requests sent; of these throttled; batches sent again after a failure."),
            ("errors", "Keys that were not deleted by their last error: code, status, count, message, request_id."),
            ("elapsed_seconds", "How long the run took, with those that it resumed."),
            ("request_id", "The service's id of the latest request. Left out where there is none."),
            ("error", "Why the run stopped. Left out where it did not."),
            ("emulator", "With --emulator: vectors_before, vectors_after."),
        ],
    ),
];
