//! The file of git-credential-store: a URL in each line, with user name and password (git-credential-store(1)).

use percent_encoding::percent_decode;

use super::{Credential, Entry, in_url};
use crate::git::{Host, Url};

/// The entries of the file, without blank lines and comments. An entry that git would not understand is bad.
pub(crate) fn entries(text: &[u8], hosts: &[Host]) -> Vec<Entry> {
    let mut entries = Vec::new();
    let mut start = 0;
    for (index, line) in text.split_inclusive(|&byte| byte == b'\n').enumerate() {
        let span = start..start + line.len();
        start = span.end;
        let line = line.trim_ascii();
        if !line.is_empty() && !line.starts_with(b"#") {
            entries.push(Entry {
                line: index + 1,
                span,
                content: content(line, hosts).map_err(str::to_owned),
            });
        }
    }
    entries
}

fn content(line: &[u8], hosts: &[Host]) -> Result<Vec<Credential>, &'static str> {
    let url = std::str::from_utf8(line).ok().and_then(Url::parse);
    let url = url.ok_or("it is not a URL")?;
    if !url.is_http() {
        return Ok(Vec::new());
    }
    let host = url.host().ok_or("its host is not a host name")?;
    if !hosts.contains(&host) {
        return Ok(Vec::new());
    }
    let found = in_url(&url).ok_or("it has no password")?;
    if percent_decode(line).any(|byte| byte.is_ascii_control()) {
        return Err("it holds a control character");
    }
    Ok(found.credentials)
}

#[cfg(test)]
mod tests {
    use super::entries;
    use crate::bitbucket;

    #[test]
    fn each_line_is_ours_or_foreign_or_bad() {
        let text = "https://ada:s%3dx@bitbucket.org\n\n# comment\nhttps://u:p@github.com\nrubbish\n\
                    https://ada@bitbucket.org\nhttps://ada:a%0ab@bitbucket.org\nhttps://u:p@bit bucket.org\n\
                    http://ATATTabcdefghijklmnopqrstuvwxyz:x@bitbucket.org/acme/app.git";
        let entries = entries(text.as_bytes(), &[bitbucket::cloud()]);
        let shown: Vec<(usize, String)> = entries
            .iter()
            .map(|entry| {
                let what = match &entry.content {
                    Ok(all) if all.is_empty() => "foreign".to_owned(),
                    Ok(all) => String::from_utf8_lossy(all[0].secret.expose()).into_owned(),
                    Err(reason) => reason.clone(),
                };
                (entry.line, what)
            })
            .collect();
        let expected = [
            (1, "s=x"),
            (4, "foreign"),
            (5, "it is not a URL"),
            (6, "it has no password"),
            (7, "it holds a control character"),
            (8, "its host is not a host name"),
            (9, "ATATTabcdefghijklmnopqrstuvwxyz"),
        ];
        assert_eq!(shown, expected.map(|(line, what)| (line, what.to_owned())));
        assert_eq!(
            &text[entries[0].span.clone()],
            "https://ada:s%3dx@bitbucket.org\n"
        );
    }
}
