//! What a person types and sees: one file or folder for each verb.

mod colour;
mod coming_from;
mod completions;
mod curl;
pub(crate) mod doctor;
mod edit;
mod help;
mod import;
mod login;
mod logout;
mod recording;
mod scrub;
mod setup;
mod status;
mod switch;
mod terminal;
mod token;
mod waits;
