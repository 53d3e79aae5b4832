//! How many instructions the same took in version 0.1.0, counted on the machine of docs/performance.md with its Rust.

use crate::row::{Entries, Helper, MOST, Operation, Row};

/// As install.sh built it, and as cargo did.
const COUNTS: [(Operation, Entries, u64, u64); 15] = [
    (Operation::Get, Entries::Environment, 146_735, 458_662),
    (Operation::Store, Entries::Environment, 197_650, 511_479),
    (Operation::Get, Entries::File, 279_142, 586_277),
    (Operation::Store, Entries::File, 328_602, 636_150),
    (Operation::StoreEphemeral, Entries::File, 120_187, 444_124),
    (Operation::Get, Entries::Kernel, 615_776, 896_893),
    (Operation::Store, Entries::Kernel, 657_159, 946_838),
    (Operation::Get, Entries::Keyring, 34_595_405, 33_054_299),
    (Operation::Store, Entries::Keyring, 33_978_216, 32_930_687),
    (Operation::Get, Entries::Many(1), 297_183, 598_098),
    (Operation::Store, Entries::Many(1), 342_078, 647_723),
    (Operation::Get, Entries::Many(100), 601_100, 892_867),
    (Operation::Store, Entries::Many(100), 646_056, 942_555),
    (Operation::Get, Entries::Many(MOST), 32_747_440, 32_289_691),
    (
        Operation::Store,
        Entries::Many(MOST),
        32_792_335,
        32_339_121,
    ),
];

/// None where 0.1.0 did no such thing.
pub(crate) fn instructions(row: Row) -> Option<u64> {
    let mut counts = COUNTS.iter();
    let (.., of_static, of_dynamic) =
        counts.find(|count| (count.0, count.1) == (row.operation, row.entries))?;
    match row.helper {
        Helper::Static => Some(*of_static),
        Helper::Dynamic => Some(*of_dynamic),
        _ => None,
    }
}
