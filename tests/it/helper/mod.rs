//! What git asks and tells: its operations, whole conversations, the first question.

mod conformance;
mod erase;
mod first_contact;
mod operations;
mod requests;
mod store;
mod stories;
