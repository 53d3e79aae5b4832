//! What git asks and tells: its operations, whole conversations, the question.

mod askpass;
mod conformance;
mod erase;
mod first_contact;
mod never_silent;
mod operations;
mod question_matrix;
mod requests;
mod store;
mod stories;
mod wrong_name;
