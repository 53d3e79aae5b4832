//! Who answers, and why not the others.

mod base_path;
mod ties;
