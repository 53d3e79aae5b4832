//! What a row of the table is: a helper, what it is asked to do, and what it has to look through for that.

use std::fmt;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) helper: Helper,
    pub(crate) operation: Operation,
    pub(crate) entries: Entries,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Helper {
    /// Ours as `cargo build --release` builds it.
    Dynamic,
    /// Ours as install.sh builds it where Rust has a musl target.
    Static,
    GitStore,
    GitCache,
    GitLibsecret,
    Pass,
    Oauth,
    Curl,
    /// `git config --list` in each of the repositories.
    GitConfig,
    /// `true`: to start and end is all it does.
    Empty,
    /// The same written in Rust, linked as the rows of the same name are.
    EmptyDynamic,
    EmptyStatic,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Get,
    Store,
    /// `store` of what is marked as not to be kept.
    StoreEphemeral,
    /// `get` of which nothing is remembered yet.
    FirstGet,
    /// `status --verify`
    Verify,
    Scrub,
    ScrubDryRun,
    /// `get` for a host of which the helper knows nothing.
    GetNothing,
    Nothing,
}

/// Where the secret comes from, and how many others lie around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entries {
    Environment,
    File,
    /// The file, its key in the kernel.
    Kernel,
    Keyring,
    /// So many in the file, each for a repository of its own.
    Many(usize),
    /// Two in the file that fit equally.
    Equals,
    /// Ten accounts in the file.
    Accounts,
    /// Repositories with a token in the address of each.
    Repositories,
    /// One, where the helper has but one place for it.
    Own,
}

impl Helper {
    pub(crate) fn is_ours(self) -> bool {
        matches!(self, Self::Dynamic | Self::Static)
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let helper = match self.helper {
            Helper::Dynamic => "bitbucket",
            Helper::Static => "bitbucket (static)",
            Helper::GitStore => "git-credential-store",
            Helper::GitCache => "git-credential-cache",
            Helper::GitLibsecret => "git-credential-libsecret",
            Helper::Pass => "pass-git-helper",
            Helper::Oauth => "git-credential-oauth",
            Helper::Curl => "curl",
            Helper::GitConfig => "git config --list",
            Helper::Empty => "true",
            Helper::EmptyDynamic => "empty Rust program",
            Helper::EmptyStatic => "empty Rust program (static)",
        };
        let operation = match self.operation {
            Operation::Get => " get",
            Operation::Store => " store",
            Operation::StoreEphemeral => " store, ephemeral",
            Operation::FirstGet => " first get",
            Operation::Verify => " status --verify",
            Operation::Scrub => " scrub",
            Operation::ScrubDryRun => " scrub --dry-run",
            Operation::GetNothing => " get, unknown host",
            Operation::Nothing => "",
        };
        let entries = match self.entries {
            Entries::Environment => ", environment".to_owned(),
            Entries::File => ", file".to_owned(),
            Entries::Kernel => ", file, key in the kernel".to_owned(),
            Entries::Keyring => ", keyring".to_owned(),
            Entries::Many(1) => ", file, 1 entry".to_owned(),
            Entries::Many(number) => format!(", file, {number} entries"),
            Entries::Equals if self.helper == Helper::Curl => {
                format!(", {EQUALS} requests for refs")
            }
            Entries::Equals => format!(", file, {EQUALS} equal accounts"),
            Entries::Accounts if self.helper == Helper::Curl => {
                format!(", {ACCOUNTS} requests for the user")
            }
            Entries::Accounts => format!(", {ACCOUNTS} accounts"),
            Entries::Repositories => format!(", {REPOSITORIES} repositories"),
            Entries::Own => String::new(),
        };
        f.pad(&format!("{helper}{operation}{entries}"))
    }
}

/// How many accounts there are in the rows that have [`Entries::Many`].
pub(crate) const MANY: [usize; 3] = [1, 100, MOST];

/// How many accounts fit equally in the rows that have [`Entries::Equals`].
pub(crate) const EQUALS: usize = 2;

/// How many accounts Bitbucket is asked about in the rows that have [`Entries::Accounts`].
pub(crate) const ACCOUNTS: usize = 10;

/// How many there are in the rows that have [`Entries::Repositories`].
pub(crate) const REPOSITORIES: usize = 500;

/// As many as nobody should have to wait for.
pub(crate) const MOST: usize = 10_000;
