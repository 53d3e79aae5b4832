//! Who answers, and why not the others.

mod base_path;
mod by_folder;
mod choice;
mod named_account;
mod ties;
mod variable;
