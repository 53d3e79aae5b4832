//! The hosts of Bitbucket Cloud.

use crate::git::Host;

/// git, LFS and OAuth of Bitbucket Cloud.
const CLOUD_HOST: &str = "bitbucket.org";
/// Another name of [`CLOUD_HOST`]: a remote that names it makes git-lfs ask for it.
const CLOUD_ALIAS: &str = "www.bitbucket.org";
/// The REST API of Bitbucket Cloud, and the only host for it (changelog, CHANGE-3052).
pub(crate) const API_HOST: &str = "api.bitbucket.org";

pub(crate) fn is_cloud(host: &Host) -> bool {
    matches!(host.as_str(), CLOUD_HOST | CLOUD_ALIAS | API_HOST)
}

/// The host for which this one stands: www.bitbucket.org for bitbucket.org.
pub(crate) fn without_alias(host: Host) -> Host {
    if host.as_str() == CLOUD_ALIAS {
        cloud()
    } else {
        host
    }
}

/// The host whose accounts answer for this one: for api.bitbucket.org those of bitbucket.org.
pub(crate) fn home_of(host: &Host) -> Host {
    if is_cloud(host) {
        cloud()
    } else {
        host.clone()
    }
}

/// The hosts for which an account of this host answers: on Bitbucket Cloud all three.
pub(crate) fn hosts_asked_for(host: &Host) -> Vec<Host> {
    if is_cloud(host) {
        let hosts = [CLOUD_HOST, CLOUD_ALIAS, API_HOST];
        hosts
            .map(|host| host.parse().expect("a well-formed host"))
            .into()
    } else {
        vec![host.clone()]
    }
}

pub(crate) fn cloud() -> Host {
    CLOUD_HOST.parse().expect("a well-formed host")
}

/// The host whose repositories an SSH host of Bitbucket Cloud has (Atlassian, "SSH over port 443", and the move of 2026-11-12).
pub(crate) fn of_ssh(name: &str) -> &str {
    match name {
        "ssh.bitbucket.org" | "altssh.bitbucket.org" => CLOUD_HOST,
        name => name,
    }
}

#[cfg(test)]
mod tests {
    use super::{API_HOST, cloud, home_of, hosts_asked_for, is_cloud, without_alias};
    use crate::git::context::Host;

    #[test]
    fn only_three_hosts_are_cloud_and_one_is_the_home_of_all() {
        assert_eq!(cloud().as_str(), "bitbucket.org");
        let api_host: Host = API_HOST.parse().expect("a host");
        assert_eq!(api_host.as_str(), "api.bitbucket.org");
        let alias: Host = "www.bitbucket.org".parse().expect("a host");
        for host in [cloud(), alias.clone(), api_host.clone()] {
            assert!(is_cloud(&host), "{host}");
            assert_eq!(home_of(&host), cloud());
            assert_eq!(
                hosts_asked_for(&host),
                [cloud(), alias.clone(), api_host.clone()]
            );
        }
        assert_eq!(without_alias(alias), cloud());
        assert_eq!(without_alias(api_host.clone()), api_host);
        for text in [
            "git.corp.example",
            "git.corp.example:7990",
            "bitbucket.org:7990",
            "api.bitbucket.org:7990",
            "x.bitbucket.org",
            "bitbucket.org.example",
        ] {
            let host: Host = text.parse().expect("a host");
            assert!(!is_cloud(&host), "{host}");
            assert_eq!(home_of(&host), host);
            assert_eq!(hosts_asked_for(&host), [host]);
        }
    }
}
