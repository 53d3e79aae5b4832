//! What holds whatever is done: no secret leaks, nothing is lost, nothing runs on for ever.

mod children;
mod concurrency;
mod damage;
mod hostile;
#[cfg(target_os = "linux")]
mod kills;
mod leak;
#[cfg(target_os = "linux")]
mod locks;
mod misplaced;
mod thrift;
mod upgrade;
