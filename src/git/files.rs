//! git's configuration files: where they lie, and how to change one while git may write to it too.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use zeroize::Zeroizing;

use crate::git::program::{PATIENCE, git, run};
use crate::sys::files::{Draft, LockFile, Mode};
use crate::sys::limit::until;
use crate::sys::{Hinted, Program, SecretBuffer, files, variables};

/// git's configuration file of a scope, as `git config --global` or `--system` would write to it.
pub(crate) fn config_file(system: bool) -> Result<PathBuf> {
    let variable = if system {
        "GIT_CONFIG_SYSTEM"
    } else {
        "GIT_CONFIG_GLOBAL"
    };
    let path = match variables::value(variable) {
        // git(1): empty means that there is no such file.
        Some(path) if path.is_empty() => bail!(Hinted::new(
            format!("{variable} is empty, so git has no such file"),
            format!("unset {variable}")
        )),
        Some(path) => path.into(),
        None if system => git(&["var", variable], PATIENCE)
            .context(Hinted::new(
                "git names no configuration of the whole machine",
                "unset GIT_CONFIG_NOSYSTEM",
            ))?
            .trim()
            .into(),
        // git-config(1), "FILES": ~/.gitconfig, but the XDG file when that alone exists.
        None => match user_config_files()? {
            [xdg, plain] if !plain.exists() && xdg.exists() => xdg,
            [_, plain] => plain,
        },
    };
    Ok(std::path::absolute(path)?)
}

/// The files of the user's configuration, whether they exist or not.
pub(crate) fn global_config_files() -> Result<Vec<PathBuf>> {
    match variables::value("GIT_CONFIG_GLOBAL") {
        Some(path) => Ok(vec![path.into()]),
        None => user_config_files().map(Vec::from),
    }
}

/// In the order in which git reads them.
fn user_config_files() -> Result<[PathBuf; 2]> {
    let home = dirs::home_dir().context("there is no home folder")?;
    Ok([config_folder(&home).join("config"), home.join(".gitconfig")])
}

/// git's folder in the user's configuration. git-credential-store keeps its second file there.
pub(crate) fn config_folder(home: &Path) -> PathBuf {
    let xdg = variables::filled("XDG_CONFIG_HOME").map(PathBuf::from);
    xdg.unwrap_or_else(|| home.join(".config")).join("git")
}

/// The file that an `include` of a configuration file names (git-config(1), "Includes").
pub(crate) fn included(by: &Path, path: &str) -> Option<PathBuf> {
    let named = match path.strip_prefix("~/") {
        Some(rest) => dirs::home_dir()?.join(rest),
        None => dunce::canonicalize(by).ok()?.parent()?.join(path),
    };
    let real = dunce::canonicalize(named).ok();
    real.filter(|path| path.is_file())
}

/// Changes a file under git's lock on `locked`, mostly the same file. Keeps its mode, and follows a symbolic link.
///
/// `change` maps the old content (empty when there is no file) to the new one. None removes the file. It is called
/// again when another process has changed the file meanwhile.
/// On an error the file is unchanged.
pub(crate) fn edit(
    path: &Path,
    locked: &Path,
    mut change: impl FnMut(&[u8]) -> Result<Option<Zeroizing<Vec<u8>>>>,
) -> Result<()> {
    let real = resolve(path);
    let cannot_write = || format!("cannot write '{}'", real.display());
    make_folder_of(&real)?;
    loop {
        let before = read(&real)?;
        let text = before.as_deref().map_or(&[][..], Vec::as_slice);
        let new = change(text)?;
        if new.as_ref().is_some_and(|new| new.as_slice() == text) {
            return Ok(());
        }
        let draft = new.map(|new| Draft::write(&real, &new, Mode::AsBefore, files::AT_WORK));
        let draft = draft.transpose().with_context(cannot_write)?;
        // Held for a moment only: meanwhile no git can write, and a killed process leaves its lock behind.
        let _lock = acquire(locked, &real)?;
        if read(&real)? != before {
            continue;
        }
        return match draft {
            Some(draft) => draft.take_its_place().with_context(cannot_write),
            None => files::remove(&real),
        };
    }
}

fn make_folder_of(path: &Path) -> Result<()> {
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder)
        .with_context(|| format!("cannot make the folder '{}'", folder.display()))
}

fn read(path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>> {
    let cannot = || format!("cannot read '{}'", path.display());
    let Some(metadata) = files::if_there(fs::metadata(path)).with_context(cannot)? else {
        return Ok(None);
    };
    ensure!(metadata.is_file(), "'{}' is not a file", path.display());
    let text = fs::read(path).with_context(cannot)?;
    Ok(Some(Zeroizing::new(text)))
}

/// The output of `git config --list -z` for the text of a file, without the files that it includes. None where git cannot
/// read it.
pub(crate) fn list_of(text: &[u8]) -> Option<SecretBuffer> {
    let git = Program::new("git").args(["-c", "safe.bareRepository=explicit", "config"]);
    // For a file git would leave out what it includes; for its standard input it has to be told.
    let git = git.args(["--list", "-z", "--no-includes", "--file", "-"]);
    let output = run(git, text, Duration::from_secs(10)).ok()??;
    (output.code == Some(0)).then_some(output.answer)
}

/// A value in the syntax of a configuration file (git-config(1), "Syntax").
pub(crate) fn quoted(value: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_graphic() && !b"\"\\#;".contains(&byte);
    if value.bytes().all(plain) {
        return value.to_owned();
    }
    let escaped = value
        .replace('\\', r"\\")
        .replace('"', "\\\"")
        .replace('\n', r"\n")
        .replace('\t', r"\t");
    format!("\"{escaped}\"")
}

/// The end of a chain of symbolic links, whether there is a file or not. git follows them in the same way.
fn resolve(path: &Path) -> PathBuf {
    let mut path = path.to_owned();
    // git gives up after five.
    for _ in 0..5 {
        let Ok(target) = fs::read_link(&path) else {
            break;
        };
        path = path.parent().unwrap_or(Path::new("")).join(target);
    }
    path
}

/// Takes git's lock on one of its files, `locked`, to write `target`. Only its holder may do that.
fn acquire(locked: &Path, target: &Path) -> Result<LockFile> {
    /// How long we wait for another git. It writes for milliseconds.
    const OTHERS: Duration = Duration::from_secs(2);
    let mut lock = resolve(locked).into_os_string();
    lock.push(".lock");
    let lock = PathBuf::from(lock);
    make_folder_of(&lock)?;
    let target = target.display();
    let made = until(Instant::now() + OTHERS, || LockFile::make(&lock, ""));
    let made = made.with_context(|| format!("cannot write '{target}'"))?;
    made.with_context(|| {
        let hint = format!("try again; if no git runs, remove '{}'", lock.display());
        Hinted::new(format!("another git is writing '{target}'"), hint)
    })
}

#[cfg(test)]
mod tests {
    use super::{list_of, quoted};
    use crate::git::config::GitConfig;

    #[test]
    fn a_configuration_file_is_read_as_git_reads_it() {
        let headers = [
            "[remote \"origin\"]",
            "[core]",
            "[a.B]",
            "[url \"https://x \\\"y\\\\/\"] ",
        ];
        let keys = ["url = ", "bare", "Key-1=", "\tx = ", "url=\t"];
        let values = [
            "https://x.org/a.git",
            " ",
            "\t",
            "\"",
            "\" a # b \"",
            "# c",
            "; c",
            "\\\n",
            "\\\"",
            "\\t",
            "\u{e4}",
            "=",
            "[",
        ];
        let junk = [
            "\\q",
            "]",
            "\r",
            "\"",
            "\n\n",
            "[",
            "1 = 2",
            "; only a comment",
        ];
        let mut state = 0x2545_F491_4F6C_DD1D_u64;
        let mut next = |below: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            usize::try_from(state >> 33).expect("31 bits") % below
        };
        let mut understood = 0;
        for _ in 0..600 {
            let mut text = "[core]\n".to_owned();
            for _ in 0..next(6) {
                match next(8) {
                    0 | 1 => text += headers[next(headers.len())],
                    2 => text += junk[next(junk.len())],
                    _ => {
                        text += keys[next(keys.len())];
                        for _ in 0..next(5) {
                            text += values[next(values.len())];
                        }
                    }
                }
                text += [
                    "
", "
", "
", "",
                ][next(4)];
            }
            let own = GitConfig::parse(text.as_bytes()).and_then(|config| config.list_without(&[]));
            let list = list_of(text.as_bytes());
            assert_eq!(
                own.as_ref().map(|own| &own[..]),
                list.as_deref(),
                "{text:?}"
            );
            understood += usize::from(own.is_some_and(|list| !list.is_empty()));
        }
        assert!(understood > 100, "{understood} files say something");
    }

    #[test]
    fn a_value_is_quoted_where_git_would_read_it_otherwise() {
        assert_eq!(quoted(r"!'/a b/it'\''s'"), r#""!'/a b/it'\\''s'""#);
        assert_eq!(quoted("/usr/bin/x"), "/usr/bin/x");
    }
}
