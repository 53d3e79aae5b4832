//! What a person types and sees: one file or folder for each verb.

mod curl;
mod doctor;
mod import;
mod login;
mod scrub;
mod setup;
mod status;
mod terminal;
