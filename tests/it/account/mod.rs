//! What an account is: its kinds, what Bitbucket says to it, and the grants that are renewed.

mod answers;
mod data_center;
mod file;
mod kinds;
mod oauth;
mod one_repository;
mod probe;
mod route;
