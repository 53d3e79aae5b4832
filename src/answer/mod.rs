//! Who answers, with what, and why not the others.
//!
//! [`decide`] is the one decision, [`ruling`] the order among accounts. `get`, `doctor URL`, `curl` and `token` all take
//! their answer from it.

pub(crate) mod choice;
mod comeback;
pub(crate) mod decide;
pub(crate) mod found;
pub(crate) mod matching;
pub(crate) mod renewal;
pub(crate) mod ruling;
pub(crate) mod shortlist;
pub(crate) mod source;

pub(crate) use self::decide::decide;
pub(crate) use self::found::{Effort, Found};
pub(crate) use self::matching::Wanted;
