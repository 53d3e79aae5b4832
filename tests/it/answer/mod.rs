//! Who answers, and why not the others.

mod ties;
