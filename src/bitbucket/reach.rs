//! A workspace, or one repository of it: what an account is limited to, and what a request is about.

use std::fmt;
use std::str::FromStr;

use crate::bitbucket::host::{API_HOST, is_cloud};
use crate::git::Host;
use crate::sys::words::serde_as_text;

/// A workspace (Data Center: a project) or one repository of it, in lower case: Bitbucket's paths ignore case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reach {
    pub(crate) workspace: String,
    pub(crate) repository: Option<String>,
}

impl Reach {
    /// Whether `wanted` lies within this reach. Compared by segments: `acme` does not contain `acme-old`.
    pub(crate) fn contains(&self, wanted: &Self) -> bool {
        self.workspace == wanted.workspace
            && (self.repository.is_none() || self.repository == wanted.repository)
    }

    pub(crate) fn workspace_alone(&self) -> Self {
        Self {
            workspace: self.workspace.clone(),
            repository: None,
        }
    }

    /// What a request's path is about: `acme/app.git`, `acme/app.git/info/lfs`, `2.0/repositories/acme/app/…`.
    ///
    /// None for a path that a server might read differently (`..`, an empty segment).
    pub(crate) fn of_path(host: &Host, path: &[u8]) -> Option<Self> {
        let path = plain_path(path)?;
        let segments: Vec<&str> = path.split('/').collect();
        let is_api = host.as_str() == API_HOST;
        match segments.as_slice() {
            ["2.0", "repositories" | "workspaces", rest @ ..] if is_api => Self::of_segments(rest),
            // <https://support.atlassian.com/bitbucket-cloud/docs/snippets/>: a snippet is no repository of the workspace.
            ["2.0", "snippets", workspace, ..] if is_api => Self::of_segments(&[workspace]),
            _ if is_api => None,
            ["snippets", workspace, ..] if is_cloud(host) => Self::of_segments(&[workspace]),
            _ if is_cloud(host) => Self::of_segments(&segments),
            // Data Center: [context/]scm/PROJECT/REPOSITORY.git
            _ => {
                let mut all = segments.iter();
                let start = all.position(|segment| matches!(*segment, "scm" | "rest"));
                match &segments[start.unwrap_or(0)..] {
                    ["rest", rest @ ..] => Self::of_rest(rest),
                    ["scm", rest @ ..] => Self::of_segments(rest),
                    all => Self::of_segments(all),
                }
            }
        }
    }

    /// The segments after `rest` on Data Center: `api/1.0/projects/PROJECT/repos/REPOSITORY/…`.
    fn of_rest(segments: &[&str]) -> Option<Self> {
        let projects = segments.iter().position(|segment| *segment == "projects")?;
        match &segments[projects..] {
            [_, project, "repos", repository, ..] => Self::of_segments(&[project, repository]),
            [_, project, ..] => Self::of_segments(&[project]),
            _ => None,
        }
    }

    fn of_segments(segments: &[&str]) -> Option<Self> {
        let (workspace, rest) = segments.split_first()?;
        let repository = rest.first();
        let repository = repository.map(|name| name.strip_suffix(".git").unwrap_or(name));
        // Without `.git` it must still be a name (`...git` is not), and must parse to itself again.
        let is_name = |name: &str| is_repository(name) && name.strip_suffix(".git").is_none();
        if !is_workspace(workspace) || !repository.is_none_or(is_name) {
            return None;
        }
        Some(Self {
            workspace: (*workspace).to_owned(),
            repository: repository.map(str::to_owned),
        })
    }
}

impl FromStr for Reach {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let lower = text.to_ascii_lowercase();
        let segments: Vec<&str> = lower.split('/').collect();
        let reach = Self::of_segments(&segments).filter(|_| segments.len() <= 2);
        reach.ok_or("not of the form WORKSPACE or WORKSPACE/REPOSITORY")
    }
}

impl fmt::Display for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.repository {
            Some(repository) => write!(f, "{}/{repository}", self.workspace),
            None => f.write_str(&self.workspace),
        }
    }
}

/// A workspace of Bitbucket Cloud's, the key of a project of Data Center's, or `~` and the user whose project it is.
fn is_workspace(name: &str) -> bool {
    let name = name.strip_prefix('~').unwrap_or(name);
    !name.starts_with('.') && is_slug(name)
}

/// The slug of a repository, which may start with one dot: `.github`. Kubernetes has a `..data` beside mounted secrets.
fn is_repository(name: &str) -> bool {
    name != "." && !name.starts_with("..") && is_slug(name)
}

fn is_slug(name: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    !name.is_empty() && name.bytes().all(is_part)
}

/// Whether it is a part of a path that everybody reads in the same way.
pub(crate) fn is_segment(segment: &str) -> bool {
    // A server may decode a percent sign.
    let is_ambiguous = |character: char| character.is_control() || "%\\".contains(character);
    !matches!(segment, "" | "." | "..") && !segment.contains(is_ambiguous)
}

/// A request's path in lower case, without its query. None where a server might read it differently.
pub(super) fn plain_path(path: &[u8]) -> Option<String> {
    let path = std::str::from_utf8(path).ok()?.to_ascii_lowercase();
    let path = path.split(['?', '#']).next()?.trim_matches('/');
    path.split('/').all(is_segment).then(|| path.to_owned())
}

serde_as_text!(Reach);

#[cfg(test)]
mod tests {
    use super::Reach;
    use crate::bitbucket::{cloud, is_general_rest, is_rest};
    use crate::git::context::Host;

    fn data_center() -> Host {
        "git.corp.example:7990".parse().expect("a host")
    }

    #[test]
    fn a_path_tells_workspace_and_repository_whatever_stands_around_them() {
        let of =
            |path: &str| Reach::of_path(&cloud(), path.as_bytes()).map(|reach| reach.to_string());
        for path in [
            "acme/app",
            "acme/app.git",
            "/acme/app.git/",
            "ACME/App.git",
            "acme/app.git/info/lfs",
            "acme/app.git/wiki",
            "acme/app/wiki",
            "acme/app.git?service=git-upload-pack",
        ] {
            assert_eq!(of(path).as_deref(), Some("acme/app"), "{path}");
        }
        assert_eq!(of("acme").as_deref(), Some("acme"));
        for (path, reach) in [
            ("snippets/Acme/kLMnop/title.git", "acme"),
            ("snippets/acme/kLMnop.git/info/refs", "acme"),
            ("snippets/acme", "acme"),
        ] {
            assert_eq!(of(path).as_deref(), Some(reach), "{path}");
        }
        for path in [
            "",
            "/",
            "acme//app",
            "acme/../evil/app",
            "./app",
            "acme/.git",
            "acme/.git.git",
            "acme/..git",
            "acme/...git",
            "acme/app.git.git",
            "acme/a\u{7}pp",
            "acme/a%2fpp",
            "acme%2fapp",
            "acme\\app",
            "acme/app/..",
            "acme/app/x%2fy",
            ".acme/app",
            "..data/app",
            "acme/..data",
            "acme/..data.git",
            "~/app",
            "~.ssh/app",
            "acme/~app",
            "ac me/app",
            "acme/a:b",
            "acme/{repository}",
            "{workspace}/app",
            "acme/caf\u{e9}",
        ] {
            assert_eq!(of(path), None, "{path:?}");
            assert!(path.parse::<Reach>().is_err(), "{path:?}");
        }
        for path in ["acme/.github", "a_c-me/a.b_c-d"] {
            assert_eq!(of(path).as_deref(), Some(path));
        }
        // These words mean something on other hosts only.
        for path in ["scm/app", "rest/app", "2.0/repositories"] {
            assert_eq!(of(path).as_deref(), Some(path));
        }
        for (path, reach) in [
            ("2.0/workspaces/acme", "2.0/workspaces"),
            ("2.0/snippets/acme", "2.0/snippets"),
        ] {
            assert_eq!(of(path).as_deref(), Some(reach));
        }
    }

    #[test]
    fn data_center_paths_may_have_a_context_and_scm() {
        let of = |path: &str| {
            Reach::of_path(&data_center(), path.as_bytes()).map(|reach| reach.to_string())
        };
        assert_eq!(of("scm/PRJ/app.git").as_deref(), Some("prj/app"));
        assert_eq!(of("bitbucket/scm/prj/app.git").as_deref(), Some("prj/app"));
        assert_eq!(of("scm/~ada/app.git").as_deref(), Some("~ada/app"));
        for (path, reach) in [
            (
                "rest/api/1.0/projects/PRJ/repos/app/commits",
                Some("prj/app"),
            ),
            ("bitbucket/rest/api/latest/projects/PRJ", Some("prj")),
            ("rest/build-status/1.0/commits/abc", None),
            ("rest/api/1.0/projects", None),
            ("rest/api/1.0/projects/prj/repos", Some("prj")),
            ("rest/api/1.0/projects/prj/x/app", Some("prj")),
            (
                "projects/rest/api/1.0/projects/prj/repos/app",
                Some("prj/app"),
            ),
        ] {
            assert_eq!(of(path).as_deref(), reach, "{path}");
            assert!(is_rest(&data_center(), path.as_bytes()), "{path}");
        }
        assert!(!is_rest(&data_center(), b"scm/prj/app.git"));
        assert_eq!(of("prj/app").as_deref(), Some("prj/app"));
        for (path, reach) in [
            ("2.0/workspaces/x", "2.0/workspaces"),
            ("2.0/snippets/x", "2.0/snippets"),
            ("snippets/x/y", "snippets/x"),
        ] {
            assert_eq!(of(path).as_deref(), Some(reach));
        }
        assert_eq!(of("bitbucket/scm/prj").as_deref(), Some("prj"));
        for path in ["scm", "rest", "bitbucket/scm"] {
            assert_eq!(of(path), None, "{path}");
        }
        let api: Host = "api.bitbucket.org".parse().expect("a host");
        assert!(is_general_rest(&api, b"2.0/user"));
        assert!(is_general_rest(
            &data_center(),
            b"rest/build-status/1.0/commits/abc"
        ));
        for path in [
            "2.0/repositories",
            "2.0/repositories//x",
            "2.0/../user",
            "2.0/workspaces/acme",
        ] {
            assert!(!is_general_rest(&api, path.as_bytes()), "{path}");
        }
        assert!(!is_general_rest(&data_center(), b"acme/app"));
    }

    #[test]
    fn rest_paths_name_repositories_and_workspaces() {
        let api: Host = "api.bitbucket.org".parse().expect("a host");
        let of = |path: &str| Reach::of_path(&api, path.as_bytes()).map(|reach| reach.to_string());
        assert_eq!(
            of("2.0/repositories/Acme/app/commit/1/statuses/build").as_deref(),
            Some("acme/app")
        );
        assert_eq!(of("2.0/workspaces/acme").as_deref(), Some("acme"));
        assert_eq!(of("2.0/snippets/acme/kLMnop").as_deref(), Some("acme"));
        for path in ["2.0/user", "acme/app", "2.0", "2.0/repositories"] {
            assert_eq!(of(path), None, "{path}");
        }
    }

    #[test]
    fn scopes_are_compared_by_segments() {
        let reach = |text: &str| text.parse::<Reach>().expect("a reach");
        assert!(reach("acme").contains(&reach("Acme/app")));
        assert!(reach("acme/app").contains(&reach("acme/app.git")));
        assert!(!reach("acme").contains(&reach("acme-old/app")));
        assert!(!reach("acme/app").contains(&reach("acme/app-old")));
        assert!(!reach("acme/app").contains(&reach("acme")));
        assert!(!reach("acme/app").contains(&reach("beta/app")));
        assert!(!reach("acme").contains(&reach("beta")));
        assert!(reach("acme").contains(&reach("acme")));
        for text in [
            "",
            "/",
            "acme/",
            "a/b/c",
            "../a",
            "https://bitbucket.org/acme",
        ] {
            assert!(text.parse::<Reach>().is_err(), "{text}");
        }
    }
}
