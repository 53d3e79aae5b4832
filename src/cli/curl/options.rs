//! curl's options: which take a value, and which could expose a secret.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CurlOption {
    /// The long name, without the hyphens.
    pub(super) name: &'static str,
    pub(super) takes_value: bool,
    pub(super) effect: Effect,
}

/// What an option does to the secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    None,
    /// Why it could send the secret elsewhere, or add a second URL: refused with `no-` too.
    Refused(&'static str),
    /// The user decides; what it does.
    Warned(&'static str),
}

impl CurlOption {
    /// The option of a whole long name: abbreviations depend on curl's version.
    pub(super) fn of_name(name: &str) -> Option<Self> {
        // curl strips `no-` from switches before it looks up the name.
        let switch = name.strip_prefix("no-");
        let known =
            |list: &'static str, name: &str| list.split_whitespace().find(|known| *known == name);
        let (name, takes_value) = match known(WITH_VALUE, name) {
            Some(name) => (name, true),
            None => (known(SWITCHES, switch.unwrap_or(name))?, false),
        };
        let effect = match effect(name) {
            Effect::Warned(_) if switch.is_some() => Effect::None,
            effect => effect,
        };
        Some(Self {
            name,
            takes_value,
            effect,
        })
    }

    pub(super) fn of_letter(letter: char) -> Option<Self> {
        let mut letters = LETTERS.split_whitespace();
        let name = letters.find_map(|entry| entry.strip_prefix(letter)?.strip_prefix('='))?;
        Self::of_name(name)
    }
}

fn effect(name: &str) -> Effect {
    match name {
        "abstract-unix-socket" | "connect-to" | "resolve" | "unix-socket" => {
            Effect::Refused("it can send the secret to another host")
        }
        "config" => Effect::Refused("a file can name further URLs"),
        "libcurl" => Effect::Refused("it writes the secret into a file"),
        // On a redirect to another host curl drops a custom Authorization header, unless this option is set.
        "location-trusted" => Effect::Refused("it sends the secret wherever a redirect leads"),
        // Up to curl 7.77: it fetches the URLs in the fetched file.
        "metalink" => Effect::Refused("the file it fetches can name further URLs"),
        "next" => Effect::Refused("it begins a request to another URL"),
        "request-target" => Effect::Refused("it requests another path than the URL's"),
        // Only useful with `--expand-url` and similar, which we do not know.
        "variable" => Effect::Refused("it can make a URL that is not seen here"),
        "insecure" => {
            Effect::Warned("sends the secret to any server that answers, even a false one")
        }
        "trace" | "trace-ascii" | "verbose" => {
            Effect::Warned("shows the Authorization header, and the secret in it")
        }
        _ => Effect::None,
    }
}

// Sources: `curl --help all` of 7.88.1, and up to 8.16 curl.se/docs/optionswhen.html and src/tool_getparam.c. An older
// curl stops at an option it does not know. `--help`, `--manual` and `--version` make no request and are left out.

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

const LETTERS: &str = "
    #=progress-bar 0=http1.0 1=tlsv1 2=sslv2 3=sslv3 4=ipv4 6=ipv6 :=next A=user-agent B=use-ascii C=continue-at
    D=dump-header E=cert F=form G=get H=header I=head J=remote-header-name K=config L=location N=buffer O=remote-name
    P=ftp-port Q=quote R=remote-time S=show-error T=upload-file U=proxy-user X=request Y=speed-limit Z=parallel
    a=append b=cookie c=cookie-jar d=data e=referer f=fail g=globoff i=include j=junk-session-cookies k=insecure
    l=list-only m=max-time n=netrc o=output p=proxytunnel q=disable r=range s=silent t=telnet-option u=user v=verbose
    w=write-out x=proxy y=speed-time z=time-cond";

#[cfg(test)]
mod tests {
    use super::{CurlOption, Effect, LETTERS, SWITCHES, WITH_VALUE, effect};

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
        for name in LETTERS.split_whitespace().map(|entry| &entry[2..]) {
            assert!(all.contains(&name), "{name}");
        }
        let effects = || all.iter().map(|name| effect(name));
        let refused = effects().filter(|effect| matches!(effect, Effect::Refused(_)));
        let warned = effects().filter(|effect| matches!(effect, Effect::Warned(_)));
        assert_eq!((refused.count(), warned.count()), (11, 4));
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
