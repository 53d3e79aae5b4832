//! Of many accounts those that may answer: `accounts.toml` without the blocks that certainly do not fit.
//!
//! To parse a block takes some hundred times as long as to see whose it is. A block is left out only where it has the
//! form in which the program itself writes; whatever is in doubt is parsed, and decided by `matching`.

use std::path::Path;

use anyhow::Result;

use crate::account::file::Accounts;
use crate::answer::matching::{self, Wanted};
use crate::bitbucket;
use crate::bitbucket::reach::Reach;
use crate::git::context::Host;
use crate::sys::files;
use crate::sys::trace;

/// Reads of the accounts those that may answer, or all of them when none of those does.
///
/// # Errors
/// As [`Accounts::read`]; damage to an account that does not fit is not noticed while another one does.
pub(crate) fn read(path: &Path, wanted: &Wanted<'_>) -> Result<Accounts> {
    let Some(mut content) = files::read_private(path)? else {
        return Ok(Accounts::default());
    };
    // No secret is in it: to wipe it takes as long as to look through it.
    let content = std::mem::take(&mut *content);
    match of(&content, wanted) {
        Some(accounts) => Ok(accounts),
        None => Accounts::of_file(path, &content),
    }
}

/// The accounts that may answer, when one of them fits and others were left out.
pub(crate) fn of(content: &[u8], wanted: &Wanted<'_>) -> Option<Accounts> {
    let accounts = Accounts::parse(&shortened(content, wanted)?).ok()?;
    let home = bitbucket::home_of(&wanted.host);
    let at_home = accounts
        .iter()
        .filter(|account| account.host == home)
        .count();
    // One that is left alone has rights which it would not have among the others.
    let is_certain = wanted.reach.is_some() || at_home >= SPARED;
    // That none fits may come from damage, which is told by whoever reads everything.
    let fits = is_certain && !matching::fitting(&accounts, wanted).is_empty();
    fits.then_some(accounts)
}

/// How many accounts of the wanted host are left in although they do not fit when the request has no path: an account
/// with a reach then answers if it is the only one of its host.
const SPARED: usize = 2;

/// The line with which a block begins.
const HEADER: &[u8] = b"[[account]]\n";

/// The file without the blocks that cannot answer; nothing when there are none.
fn shortened(content: &[u8], wanted: &Wanted<'_>) -> Option<Vec<u8>> {
    let home = bitbucket::home_of(&wanted.host);
    let mut rest = from_header(content);
    let mut short = content[..content.len() - rest.len()].to_vec();
    let (mut blocks, mut left_out, mut spared) = (0, 0, 0);
    while let Some(text) = rest.strip_prefix(HEADER) {
        let read = Block::read(text);
        let (misfit, next) = match &read {
            Some((block, next)) => (block.misfit(wanted, &home), *next),
            None => (None, from_header(text)),
        };
        let block = &rest[..rest.len() - next.len()];
        rest = next;
        blocks += 1;
        match misfit {
            Some(Misfit::NoPath) if spared < SPARED => spared += 1,
            Some(_) => {
                left_out += 1;
                continue;
            }
            None => {}
        }
        short.extend_from_slice(block);
    }
    // What looks like the start of a block may lie in a string of several lines. Such a string begins in what is kept:
    // no block that is left out has any.
    let has_long_strings = short
        .windows(3)
        .any(|quotes| matches!(quotes, b"\"\"\"" | b"'''"));
    trace::say(|| format!("accounts: {left_out} of {blocks} cannot answer"));
    (left_out > 0 && !has_long_strings).then_some(short)
}

/// What is left from the next line on that begins a block; the text begins with a line.
fn from_header(mut text: &[u8]) -> &[u8] {
    while !text.is_empty() && !text.starts_with(HEADER) {
        let line = text.iter().position(|&byte| byte == b'\n');
        text = line.map_or(&[], |end| &text[end + 1..]);
    }
    text
}

/// Why an account certainly does not fit.
enum Misfit {
    Host,
    Attribute,
    Reach,
    /// It has a reach, and the request has none.
    NoPath,
}

/// What a block says that decides whether its account fits.
#[derive(Default)]
struct Block<'a> {
    host: Option<&'a [u8]>,
    kind: Option<&'a [u8]>,
    username: Option<&'a [u8]>,
    path: Option<&'a [u8]>,
    reach: Option<&'a [u8]>,
}

impl<'a> Block<'a> {
    /// Reads a block, and returns what follows it. Each byte is looked at once.
    ///
    /// Nothing unless each line is blank, the header of a table in the account, or a key with a value that ends on the
    /// same line: then no line can be anything else than it seems.
    fn read(text: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let mut block = Self::default();
        let mut is_own = true;
        let mut rest = text;
        while !rest.is_empty() && !rest.starts_with(HEADER) {
            if let Some(next) = rest.strip_prefix(b"\n") {
                rest = next;
            } else if let Some(name) = rest.strip_prefix(b"[account.") {
                is_own = false;
                rest = split(name, is_bare).1.strip_prefix(b"]\n")?;
            } else {
                let (key, value) = split(rest, is_bare);
                let (value, next) = Value::read(value.strip_prefix(b" = ")?)?;
                rest = next.strip_prefix(b"\n")?;
                if is_own {
                    block.set(key, value)?;
                }
            }
        }
        Some((block, rest))
    }

    fn set(&mut self, key: &[u8], value: Value<'a>) -> Option<()> {
        match (key, value) {
            (b"host", Value::Text(text)) => self.host = Some(text),
            (b"kind", Value::Text(text)) => self.kind = Some(text),
            (b"username", Value::Text(text)) => self.username = Some(text),
            (b"path", Value::Text(text)) => self.path = Some(text),
            (b"for", Value::List(list)) => self.reach = Some(list),
            (b"host" | b"kind" | b"username" | b"path" | b"for", _) => return None,
            _ => {}
        }
        Some(())
    }

    /// The same rules as those of `matching`, as far as they need no more than this.
    fn misfit(&self, wanted: &Wanted<'_>, home: &Host) -> Option<Misfit> {
        let expected = match self.kind {
            Some(_) => home,
            None => &wanted.host,
        };
        if !is_host(self.host?, expected)? {
            return Some(Misfit::Host);
        }
        if self.kind.is_none() {
            let differs =
                differs(wanted.username, self.username)? || differs(wanted.path, self.path)?;
            return differs.then_some(Misfit::Attribute);
        }
        let mut texts = texts_of(self.reach?)?;
        match &wanted.reach {
            Some(wanted) => (!texts.any(|text| may_contain(text, wanted))).then_some(Misfit::Reach),
            None => Some(Misfit::NoPath),
        }
    }
}

/// A value that ends on the line on which it starts.
enum Value<'a> {
    /// What stands between two quotation marks, with nothing in it that means something else.
    Text(&'a [u8]),
    /// What stands between the brackets of a list without further ones.
    List(&'a [u8]),
    /// A number, a date, or a truth value.
    Other,
}

impl<'a> Value<'a> {
    /// Reads a value, and returns what follows it.
    fn read(text: &'a [u8]) -> Option<(Self, &'a [u8])> {
        match text.split_first()? {
            (b'[', list) => {
                let (list, rest) = split(list, |byte| {
                    !matches!(byte, b'[' | b']' | b'{' | b'}' | b'#' | b'\\' | b'\n')
                });
                Some((Self::List(list), rest.strip_prefix(b"]")?))
            }
            (&quote @ (b'"' | b'\''), text) => {
                let (text, rest) =
                    split(text, |byte| byte != quote && !matches!(byte, b'\\' | b'\n'));
                Some((Self::Text(text), rest.strip_prefix(&[quote])?))
            }
            _ => {
                let is_word = |byte: u8| {
                    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.' | b':' | b'_')
                };
                let (word, rest) = split(text, is_word);
                (!word.is_empty()).then_some((Self::Other, rest))
            }
        }
    }
}

/// What the text begins with, and what comes after.
fn split(text: &[u8], belongs: impl Fn(u8) -> bool) -> (&[u8], &[u8]) {
    let end = text.iter().position(|&byte| !belongs(byte));
    text.split_at(end.unwrap_or(text.len()))
}

/// Whether a key may have this letter without quotation marks.
fn is_bare(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

/// The strings of a list that has at least one, and nothing else.
fn texts_of(list: &[u8]) -> Option<impl Iterator<Item = &[u8]>> {
    let all = || {
        let texts = list.split(|&byte| byte == b',').map(<[u8]>::trim_ascii);
        texts.map(|text| match Value::read(text) {
            Some((Value::Text(text), [])) => Some(text),
            _ => None,
        })
    };
    all().all(|text| text.is_some()).then(|| all().flatten())
}

/// Whether this is the name of the host; nothing when it is that of none.
fn is_host(name: &[u8], host: &Host) -> Option<bool> {
    if name == host.as_str().as_bytes() {
        return Some(true);
    }
    let name: Host = std::str::from_utf8(name).ok()?.parse().ok()?;
    Some(name == *host)
}

/// Whether an attribute is in the request and not the same in the account; nothing when it is not written plainly.
fn differs(wanted: Option<&[u8]>, own: Option<&[u8]>) -> Option<bool> {
    match own {
        Some(own) if own.contains(&b'%') => None,
        own => Some(wanted.is_some() && wanted != own),
    }
}

/// Whether the reach of this text may contain the wanted one.
fn may_contain(text: &[u8], wanted: &Reach) -> bool {
    let (workspace, repository) = split(text, |byte| byte != b'/');
    let is = |text: &[u8], name: &str| text.eq_ignore_ascii_case(name.as_bytes());
    is(workspace, &wanted.workspace)
        && match (repository, &wanted.repository) {
            ([], _) => true,
            (_, None) => false,
            ([_, repository @ ..], Some(name)) => {
                let end = repository.len().saturating_sub(SUFFIX.len());
                is(repository, name)
                    || (is(&repository[end..], SUFFIX) && is(&repository[..end], name))
            }
        }
}

const SUFFIX: &str = ".git";

#[cfg(test)]
mod tests {
    use super::of;
    use crate::account::file::Accounts;
    use crate::account::rejection::Rejection;
    use crate::account::sign_in::{Known, Opaque, SignIn};
    use crate::account::{Account, Origin};
    use crate::answer::matching::{self, Wanted};
    use crate::bitbucket::Kind;
    use crate::git::context::Context;
    use crate::git::username::Username;
    use crate::sys::bytes::Bytes;

    /// Numbers that look random and are the same each time (xorshift64).
    struct Numbers(u64);

    impl Numbers {
        fn below(&mut self, end: usize) -> usize {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            usize::try_from(self.0 >> 33).expect("31 bits") % end
        }

        fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
            all[self.below(all.len())]
        }

        fn one_in(&mut self, number: usize) -> bool {
            self.below(number) == 0
        }
    }

    const HOSTS: [&str; 3] = [
        "bitbucket.org",
        "api.bitbucket.org",
        "git.corp.example:7990",
    ];
    const NAMES: [&str; 4] = ["ada", "bob", "b%b", "x-token-auth"];
    const PATHS: [&str; 8] = [
        "acme/app",
        "acme/app.git",
        "ACME/App.git",
        "acme/application",
        "acme",
        "beta/app.git/info/lfs",
        "2.0/repositories/acme/app",
        "2.0/user",
    ];
    const SCOPES: [&str; 8] = [
        "acme",
        "acme/app",
        "acme/app.git",
        "acme/application",
        "beta",
        "acme-old/app",
        "ACME/site",
        "acme/ä",
    ];
    const KINDS: [Kind; 4] = [
        Kind::ApiToken,
        Kind::AccessToken,
        Kind::AppPassword,
        Kind::HttpAccessToken,
    ];

    fn account(numbers: &mut Numbers, number: usize) -> Account {
        let host = numbers.one_of(&HOSTS).parse().expect("a host");
        let origin = numbers.one_of(&[Origin::Git, Origin::Login]);
        let nothing = SignIn::Opaque(Opaque::default());
        let mut account = Account::new(format!("account-{number}"), host, origin, nothing);
        account.entry = format!("{}@{}#0", account.name, account.host);
        let bytes = |text: &str| Bytes::from(text.as_bytes().to_vec());
        let username = numbers.one_in(2).then(|| numbers.one_of(&NAMES));
        let username = username.and_then(Username::new);
        if numbers.one_in(4) {
            account.sign_in = SignIn::Opaque(Opaque {
                username,
                path: numbers.one_in(2).then(|| bytes(numbers.one_of(&PATHS))),
                authtype: None,
            });
        } else {
            let mut known = Known::new(numbers.one_of(&KINDS));
            known.owner.username = username;
            account.sign_in = known.into();
            let reach = (0..numbers.below(3)).map(|_| numbers.one_of(&SCOPES));
            account.reach = reach.map(|text| text.parse().expect("a reach")).collect();
        }
        if numbers.one_in(5) {
            account.rejected = Some(Rejection::again(None, jiff::Timestamp::UNIX_EPOCH));
        }
        account
    }

    /// What somebody may do to the file, and it stays one (mostly).
    fn edited(numbers: &mut Numbers, text: &str) -> String {
        const EDITS: [(&str, &str); 14] = [
            ("[[account]]\n", "[[ account ]]\n"),
            ("[[account]]\n", "[[account]] # mine\n"),
            ("[[account]]\n", " [[account]]\n"),
            ("\n", "\r\n"),
            ("for = [\"", "for = [\n  \""),
            ("for = [", "'for' = ["),
            ("for = [", "for=["),
            ("for = [", "x = [ { y = 1, # ]\nfor = ["),
            ("\"]\n", "\",]\n"),
            ("\"acme\"", "\"\\u0061cme\""),
            ("\"acme\"", "'acme'"),
            ("host = \"bitbucket.org\"", "host = \"BitBucket.org:443\""),
            ("kind = ", "note = \"\"\"\n[[account]]\n\"\"\"\nkind = "),
            ("store = \"file\"", "store = \"moon\""),
        ];
        let mut text = text.to_owned();
        for (from, to) in EDITS {
            let places: Vec<usize> = text.match_indices(from).map(|(place, _)| place).collect();
            if numbers.one_in(6) && !places.is_empty() {
                let place = numbers.one_of(&places);
                text.replace_range(place..place + from.len(), to);
            }
        }
        text
    }

    fn context(numbers: &mut Numbers) -> Context {
        let bytes = |text: &str| text.as_bytes().to_vec();
        Context {
            protocol: Some(bytes("https")),
            host: Some(bytes(numbers.one_of(&HOSTS))),
            path: numbers
                .one_in(4)
                .then(|| bytes(numbers.one_of(&PATHS)))
                .or_else(|| (!numbers.one_in(3)).then(|| bytes(numbers.one_of(&PATHS[..3])))),
            username: numbers.one_in(3).then(|| bytes(numbers.one_of(&NAMES))),
        }
    }

    /// All that a lookup concludes from the accounts.
    fn conclusions(accounts: &Accounts, wanted: &Wanted<'_>) -> impl PartialEq + std::fmt::Debug {
        let fitting = matching::fitting(accounts, wanted);
        let named: Vec<(u8, String)> = fitting
            .iter()
            .map(|(exactness, account)| (*exactness, account.name.clone()))
            .collect();
        let chosen = matching::choose(&fitting, wanted)
            .map(|chosen| chosen.map(|account| account.name.clone()))
            .map_err(|error| format!("{error:#}"));
        let lacks_a_path = wanted.path.is_none() && matching::only_lacks_a_path(accounts, wanted);
        (named, chosen, lacks_a_path)
    }

    #[test]
    fn whatever_is_left_out_the_answer_is_that_of_the_whole_file() {
        let mut numbers = Numbers(0x9E37_79B9_7F4A_7C15);
        let mut short = 0;
        for _ in 0..400 {
            let mut all = Accounts::default();
            for number in 0..numbers.below(9) {
                all.add(account(&mut numbers, number));
            }
            let mut text = all.to_toml().expect("a file");
            if numbers.one_in(2) {
                text = edited(&mut numbers, &text);
            }
            let Ok(whole) = Accounts::parse(text.as_bytes()) else {
                continue;
            };
            for _ in 0..8 {
                let context = context(&mut numbers);
                let wanted = Wanted::of(&context).expect("something of ours");
                let Some(few) = of(text.as_bytes(), &wanted) else {
                    continue;
                };
                short += 1;
                assert_eq!(
                    conclusions(&few, &wanted),
                    conclusions(&whole, &wanted),
                    "{wanted:?} of\n{text}"
                );
            }
        }
        assert!(short > 400, "{short}: the test looks at something");
    }

    #[test]
    fn of_many_accounts_few_are_parsed() {
        let mut all = Accounts::default();
        for number in 0..100 {
            let mut account = Account::new(
                format!("a{number}"),
                crate::bitbucket::cloud(),
                Origin::Login,
                Known::new(Kind::AccessToken),
            );
            account.reach = vec![format!("acme/r{number}").parse().expect("a reach")];
            all.add(account);
        }
        let text = all.to_toml().expect("a file");
        let context = |path: Option<&str>| Context {
            protocol: Some(b"https".to_vec()),
            host: Some(b"bitbucket.org".to_vec()),
            path: path.map(|path| path.as_bytes().to_vec()),
            ..Context::default()
        };
        let read = |path: Option<&str>, text: &str| {
            let context = context(path);
            let accounts = of(
                text.as_bytes(),
                &Wanted::of(&context).expect("something of ours"),
            )?;
            Some(accounts.iter().count())
        };
        assert_eq!(read(Some("acme/r7.git"), &text), Some(1));
        assert_eq!(read(Some("acme/other"), &text), None);
        assert_eq!(read(None, &text), None);
        let with_another = format!(
            "{text}\n[[account]]\nname = 'all'\nhost = 'bitbucket.org'\nkind = 'api-token'\n\
                                    store = 'file'\nentry = 'x'\norigin = 'login'\n"
        );
        assert_eq!(read(None, &with_another), Some(3));
    }
}
