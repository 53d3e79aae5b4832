//! What a person types and sees: one file or folder for each verb.

mod colour;
#[cfg(target_os = "linux")]
mod coming_from;
mod completions;
mod curl;
pub(crate) mod doctor;
mod edit;
mod help;
mod import;
mod login;
mod logout;
#[cfg(target_os = "linux")]
mod recording;
mod scrub;
mod setup;
mod status;
mod switch;
mod terminal;
mod token;
mod waits;
