//! What git asks and tells: its operations, whole conversations, the first question.

mod conformance;
mod first_contact;
mod operations;
mod stories;
