#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| git_credential_bitbucket::fuzz::oauth(data));
