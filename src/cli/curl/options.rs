//! curl's options: which take a value, and which a secret must not meet.

/// What has to be known of an option of curl's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CurlOption {
    /// The long name, without the hyphens.
    pub(super) name: &'static str,
    pub(super) takes_value: bool,
    pub(super) effect: Effect,
}

/// What an option does to the secret of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    None,
    /// It takes the secret elsewhere, or a second URL past us; why.
    Refused(&'static str),
    /// It is the user's decision; what it does.
    Warned(&'static str),
}

impl CurlOption {
    /// The option of a long name, as it stands behind the two hyphens.
    ///
    /// Only whole names: what an abbreviation means depends on the version of curl, and newer ones know none.
    pub(super) fn of_name(name: &str) -> Option<Self> {
        // curl takes `no-` off before it looks a name up; only switches have it.
        let switch = name.strip_prefix("no-");
        let known =
            |list: &'static str, name: &str| list.split_whitespace().find(|known| *known == name);
        let (name, takes_value) = match known(WITH_VALUE, name) {
            Some(name) => (name, true),
            None => (known(SWITCHES, switch.unwrap_or(name))?, false),
        };
        let refused = REFUSED.iter().find(|(refused, _)| *refused == name);
        let warned = WARNED.iter().find(|(warned, _)| *warned == name);
        let effect = match (refused, warned) {
            (Some((_, why)), _) => Effect::Refused(why),
            (None, Some((_, what))) if switch.is_none() => Effect::Warned(what),
            _ => Effect::None,
        };
        Some(Self {
            name,
            takes_value,
            effect,
        })
    }

    /// The option of a letter behind a single hyphen.
    pub(super) fn of_letter(letter: char) -> Option<Self> {
        let mut letters = LETTERS.split_whitespace();
        let name = letters.find_map(|entry| entry.strip_prefix(letter)?.strip_prefix('='))?;
        Self::of_name(name)
    }
}

/// Refused wherever it stands, also with a `no-` in front.
const REFUSED: [(&str, &str); 11] = [
    ("abstract-unix-socket", ELSEWHERE),
    ("config", "a file can name further URLs"),
    ("connect-to", ELSEWHERE),
    ("libcurl", "it writes the secret into a file"),
    // curl takes a custom Authorization header off when a redirect leaves the host, but for this option.
    (
        "location-trusted",
        "it sends the secret wherever a redirect leads",
    ),
    // Up to curl 7.77, where it fetches the URLs that the fetched file names.
    ("metalink", "the file it fetches can name further URLs"),
    ("next", "it begins a request to another URL"),
    ("request-target", "it requests another path than the URL's"),
    ("resolve", ELSEWHERE),
    ("unix-socket", ELSEWHERE),
    // Only of use with `--expand-url` and the like, which are not known here.
    ("variable", "it can make a URL that is not seen here"),
];
const ELSEWHERE: &str = "it can send the secret to another host";

const WARNED: [(&str, &str); 4] = [
    (
        "insecure",
        "sends the secret to any server that answers, even a false one",
    ),
    ("trace", SHOWS),
    ("trace-ascii", SHOWS),
    ("verbose", SHOWS),
];
const SHOWS: &str = "shows the Authorization header, and the secret in it";

// Out of `curl --help all` of curl 7.88.1, and for what came later, up to 8.16, curl.se/docs/optionswhen.html and curl's
// src/tool_getparam.c; in between no name changed sides. A curl to which one is new ends without a request. Left out are
// `--help`, `--manual` and `--version`, which make no request, and of which the first takes a value or not as it comes.

/// Options that take the next argument, whatever it looks like.
const WITH_VALUE: &str = "
    abstract-unix-socket alt-svc aws-sigv4 cacert capath cert cert-type ciphers config connect-timeout connect-to
    continue-at cookie cookie-jar create-file-mode crlfile curves data data-ascii data-binary data-raw
    data-urlencode delegation dns-interface dns-ipv4-addr dns-ipv6-addr dns-servers doh-url dump-header ech egd-file
    engine etag-compare etag-save expect100-timeout form form-string ftp-account ftp-alternative-to-user ftp-method
    ftp-port ftp-ssl-ccc-mode happy-eyeballs-timeout-ms haproxy-clientip header hostpubmd5 hostpubsha256 hsts
    interface ip-tos ipfs-gateway json keepalive-cnt keepalive-time key key-type krb libcurl limit-rate
    local-port login-options mail-auth mail-from mail-rcpt max-filesize max-redirs max-time netrc-file noproxy
    oauth2-bearer output output-dir parallel-max parallel-max-host pass pinnedpubkey preproxy proto proto-default
    proto-redir proxy proxy-cacert proxy-capath proxy-cert proxy-cert-type proxy-ciphers proxy-crlfile proxy-header
    proxy-key proxy-key-type proxy-pass proxy-pinnedpubkey proxy-service-name proxy-tls13-ciphers proxy-tlsauthtype
    proxy-tlspassword proxy-tlsuser proxy-user proxy1.0 pubkey quote random-file range rate referer request
    request-target resolve retry retry-delay retry-max-time sasl-authzid service-name sigalgs socks4 socks4a socks5
    socks5-gssapi-service socks5-hostname speed-limit speed-time ssl-sessions stderr telnet-option tftp-blksize
    time-cond tls-max tls13-ciphers tlsauthtype tlspassword tlsuser trace trace-ascii trace-config unix-socket
    upload-file upload-flags url url-query user user-agent variable vlan-priority write-out";

/// Options that take none.
const SWITCHES: &str = "
    alpn anyauth append basic buffer ca-native cert-status clobber compressed compressed-ssh create-dirs crlf digest
    disable disable-eprt disable-epsv disallow-username-in-url doh-cert-status doh-insecure dump-ca-embed eprt epsv
    fail fail-early fail-with-body false-start follow form-escape ftp-create-dirs ftp-pasv ftp-pret ftp-skip-pasv-ip
    ftp-ssl-ccc ftp-ssl-control get globoff haproxy-protocol head http0.9 http1.0 http1.1 http2
    http2-prior-knowledge http3 http3-only ignore-content-length include insecure ipv4 ipv6 junk-session-cookies
    keepalive list-only location location-trusted mail-rcpt-allowfails metalink mptcp negotiate netrc netrc-optional
    next npn ntlm ntlm-wb out-null parallel parallel-immediate path-as-is post301 post302 post303 progress-bar
    progress-meter proxy-anyauth proxy-basic proxy-ca-native proxy-digest proxy-http2 proxy-insecure proxy-negotiate
    proxy-ntlm proxy-ssl-allow-beast proxy-ssl-auto-client-cert proxy-tlsv1 proxytunnel raw remote-header-name
    remote-name remote-name-all remote-time remove-on-error retry-all-errors retry-connrefused sasl-ir sessionid
    show-error show-headers silent skip-existing socks5-basic socks5-gssapi socks5-gssapi-nec ssl ssl-allow-beast
    ssl-auto-client-cert ssl-no-revoke ssl-reqd ssl-revoke-best-effort sslv2 sslv3 styled-output
    suppress-connect-headers tcp-fastopen tcp-nodelay tftp-no-options tls-earlydata tlsv1 tlsv1.0 tlsv1.1 tlsv1.2
    tlsv1.3 tr-encoding trace-ids trace-time use-ascii verbose xattr";

/// The letters some of them have.
const LETTERS: &str = "
    #=progress-bar 0=http1.0 1=tlsv1 2=sslv2 3=sslv3 4=ipv4 6=ipv6 :=next A=user-agent B=use-ascii C=continue-at
    D=dump-header E=cert F=form G=get H=header I=head J=remote-header-name K=config L=location N=buffer O=remote-name
    P=ftp-port Q=quote R=remote-time S=show-error T=upload-file U=proxy-user X=request Y=speed-limit Z=parallel
    a=append b=cookie c=cookie-jar d=data e=referer f=fail g=globoff i=include j=junk-session-cookies k=insecure
    l=list-only m=max-time n=netrc o=output p=proxytunnel q=disable r=range s=silent t=telnet-option u=user v=verbose
    w=write-out x=proxy y=speed-time z=time-cond";

#[cfg(test)]
mod tests {
    use super::{CurlOption, Effect, LETTERS, REFUSED, SWITCHES, WARNED, WITH_VALUE};

    #[test]
    fn no_name_is_in_both_lists_and_each_that_is_named_is_in_one() {
        let all: Vec<&str> = [WITH_VALUE, SWITCHES]
            .into_iter()
            .flat_map(str::split_whitespace)
            .collect();
        for name in &all {
            assert_eq!(
                all.iter().filter(|other| *other == name).count(),
                1,
                "{name}"
            );
            assert!(!name.starts_with("no-"), "{name}");
        }
        let named = REFUSED.iter().chain(&WARNED).map(|(name, _)| *name);
        for name in named.chain(LETTERS.split_whitespace().map(|entry| &entry[2..])) {
            assert!(all.contains(&name), "{name}");
        }
    }

    #[test]
    fn only_whole_names_are_known_and_a_switch_may_be_turned_off() {
        let known = |name| CurlOption::of_name(name).is_some();
        assert!(known("location") && known("no-location") && known("url"));
        for name in [
            "locat",
            "LOCATION",
            "no-url",
            "no-no-location",
            "expand-url",
            "",
            "no-",
        ] {
            assert!(!known(name), "{name}");
        }
        let effect = |name| CurlOption::of_name(name).map(|option| option.effect);
        assert_eq!(effect("no-insecure"), Some(Effect::None));
        assert!(matches!(effect("insecure"), Some(Effect::Warned(_))));
        assert!(matches!(
            effect("no-location-trusted"),
            Some(Effect::Refused(_))
        ));
    }

    #[test]
    fn a_letter_is_its_long_name() {
        let name = |letter| CurlOption::of_letter(letter).map(|option| option.name);
        assert_eq!(name('d'), Some("data"));
        assert_eq!(name(':'), Some("next"));
        assert_eq!(name('='), None);
        assert_eq!(name('h'), None);
    }
}
