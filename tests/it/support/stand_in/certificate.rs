//! The test authority, and the certificates it signs for the hosts the stand-in plays.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::PrivateKeyDer;

/// One for all stand-ins of a process: keys take time.
pub(super) static AUTHORITY: LazyLock<CertificateAuthority> =
    LazyLock::new(CertificateAuthority::create);

/// A certificate authority which lives as long as the process.
pub(super) struct CertificateAuthority {
    issuer: Issuer<'static, KeyPair>,
    /// Its own certificate, for clients to trust.
    pub(super) certificate: String,
    settings: Mutex<HashMap<String, Arc<ServerConfig>>>,
}

impl CertificateAuthority {
    fn create() -> Self {
        let mut parameters = CertificateParams::new([]).expect("no names are no wrong names");
        parameters
            .distinguished_name
            .push(DnType::CommonName, "Stand-in test authority");
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().expect("the system has random numbers");
        let certificate = parameters
            .self_signed(&key)
            .expect("the parameters are sound")
            .pem();
        Self {
            issuer: Issuer::new(parameters, key),
            certificate,
            settings: Mutex::default(),
        }
    }

    /// The TLS settings to answer as `host`.
    pub(super) fn settings_for(&self, host: &str) -> Arc<ServerConfig> {
        let mut made = self.settings.lock().expect("no thread panics here");
        let settings = made
            .entry(host.to_owned())
            .or_insert_with(|| self.sign(host));
        Arc::clone(settings)
    }

    fn sign(&self, host: &str) -> Arc<ServerConfig> {
        let mut parameters =
            CertificateParams::new([host.to_owned()]).expect("the host is a DNS name");
        parameters.distinguished_name.push(DnType::CommonName, host);
        parameters.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate().expect("the system has random numbers");
        let certificate = parameters
            .signed_by(&key, &self.issuer)
            .expect("the parameters are sound");
        // The provider is named, since a target with a TLS client of its own may have made another
        // the default.
        let mut settings = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("ring knows both versions")
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::from(key))
            .expect("the key belongs to the certificate");
        // curl and Go would take HTTP/2 if they could.
        settings.alpn_protocols = vec![b"http/1.1".to_vec()];
        Arc::new(settings)
    }
}
