//! Counts the allocations of each case, for `requests`. Prints group, case and count,
//! tab-separated.

use peers::bulk_cases::bulk;
use peers::request_cases::{building, signing};

fn main() {
    let groups = [
        ("500 keys", building(500)),
        ("3 keys", building(3)),
        ("signature alone", signing()),
        ("bulk", bulk()),
    ];
    for (group, cases) in groups {
        for mut case in cases {
            case.run(1, count); // fill caches, derive keys
            let counted = case.run(1, count);
            println!("{group}\t{}\t{counted}", case.name);
        }
    }
}

fn count(operation: &mut dyn FnMut()) -> u64 {
    allocation_counter::measure(operation).count_total
}
