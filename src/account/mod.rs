//! An account: everything but its secret, and what its store holds.

pub(crate) mod choices;
mod data_center;
pub(crate) mod file;
mod inquiry;
pub(crate) mod owner;
pub(crate) mod present;
pub(crate) mod probe;
mod record;
pub(crate) mod refusals;
pub(crate) mod rejection;
pub(crate) mod sign_in;
pub(crate) mod state;
mod verdict;
pub(crate) mod verify;

pub(crate) use self::file::Accounts;
pub(crate) use self::owner::Owner;
pub(crate) use self::record::{Account, Kept, Origin, today};
pub(crate) use self::rejection::Standing;
pub(crate) use self::sign_in::{Known, Scheme};
pub(crate) use self::state::State;
