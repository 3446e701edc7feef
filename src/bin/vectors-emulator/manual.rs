//! The examples and sections of the man page. The options come from `args`.

use crate::generate::Manual;

pub(crate) const MANUAL: Manual = Manual { examples: EXAMPLES, sections: SECTIONS };

const EXAMPLES: &[(&str, &str)] = &[
    ("listen", "--listen 127.0.0.1:9000"),
    ("allow_remote", "--listen 0.0.0.0:9000 --allow-remote"),
    ("region", "--region cn-hangzhou"),
    ("account_id", "--account-id 1234567890123456"),
    ("bucket", "--bucket examplebucket"),
    ("index_name", "--index-name vectorindex1"),
    ("keys_from", "--keys-from keys.txt; or seq -f doc-%05g 5000 | vectors-emulator --keys-from -"),
    ("vectors_from", "--vectors-from vectors.jsonl"),
    ("keys_format", "--keys-from keys --keys-format jsonl"),
    ("max_qps", "--max-qps 50"),
    ("max_keys_per_second", "--max-qps 1000 --max-keys-per-second 2500"),
    ("max_keys_in_flight", "--max-keys-in-flight 2500"),
    ("late_listing", "--late-listing 2.5"),
    ("ignore_filters", "--vectors-from vectors.jsonl --ignore-filters"),
    ("faults", "--faults lost-response=0.05,server-error=0.1"),
    ("seed", "--faults page=0.1 --seed 7"),
    (
        "generate",
        "--generate man | man -l -; or --generate bash >/etc/bash_completion.d/vectors-emulator",
    ),
];

const SECTIONS: &[(&str, &[(&str, &str)])] = &[
    (
        "ENVIRONMENT",
        &[
            (
                "OSS_ACCESS_KEY_ID, OSS_ACCESS_KEY_SECRET",
                "The AccessKey pair that clients must sign with.",
            ),
            ("OSS_SESSION_TOKEN", "The security token that clients must send. Optional."),
        ],
    ),
    (
        "FAULTS",
        &[
            (
                "In the request",
                "connection-refused, lost-request, late-request, corrupted-request, repeated-request, outage.",
            ),
            ("In the service", "throttle, server-error, rejection."),
            (
                "In the response",
                "lost-response, late-response, repeated-response, truncated-response, page, flipped-status.",
            ),
        ],
    ),
    (
        "OUTPUT",
        &[
            ("listening on URL", "The first line, printed once it accepts connections."),
            ("deleted", "In the JSON at the end: vectors that were deleted."),
            ("keys", "Keys in all executed requests, including repeated ones."),
            ("remaining", "Vectors that are left."),
            ("requests", "Requests that reached the service."),
            ("faults", "With --faults: how often each was injected."),
        ],
    ),
    (
        "EXIT STATUS",
        &[
            ("0", "Ended by SIGTERM or SIGINT."),
            ("1", "The output could not be written."),
            ("2", "Bad usage or configuration; nothing was served."),
        ],
    ),
];
