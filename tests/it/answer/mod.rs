//! Who answers, and why not the others.

mod base_path;
mod named_account;
mod ties;
