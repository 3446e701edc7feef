//! Counts the allocations of one request, for `requests`: group, case and count, tabs between.

use peers::request_cases::{building, signing};

fn main() {
    for (group, cases) in [("500 keys", building(500)), ("3 keys", building(3)), ("signature alone", signing())] {
        for mut case in cases {
            case.run(1, count); // caches, keys of the day
            let counted = case.run(1, count);
            println!("{group}\t{}\t{counted}", case.name);
        }
    }
}

fn count(operation: &mut dyn FnMut()) -> u64 {
    allocation_counter::measure(operation).count_total
}
