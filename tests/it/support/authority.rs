//! A CA of the tests, and the certificates that it issues.

use std::{fs, sync::Arc};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use reqwest::{Certificate, ClientBuilder, Identity};
use tokio_rustls::rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};

use super::command::TemporaryFolder;
use fineract_gateway::tls::http_client;

/// A CA.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// Its certificate, in PEM format.
    pub(crate) pem: String,
}

/// A certificate and its private key, in PEM format.
pub(crate) struct Issued {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new([]).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
            .distinguished_name
            .push(DnType::CommonName, "a CA of the tests");
        let pem = params.self_signed(&key).expect("a certificate").pem();
        Self {
            issuer: Issuer::new(params, key),
            pem,
        }
    }

    /// Issues a certificate for servers at `localhost` and 127.0.0.1, and for clients. It ends at the beginning of the year.
    pub(crate) fn issue(&self, ends_in: i32) -> Issued {
        let key = KeyPair::generate().expect("a key");
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let mut params = CertificateParams::new(names).expect("valid names");
        params.not_after = date_time_ymd(ends_in, 1, 1);
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        Issued {
            certificate: certificate.pem(),
            key: key.serialize_pem(),
        }
    }

    /// A client that trusts only this CA.
    pub(crate) fn client(&self) -> ClientBuilder {
        let certificate = Certificate::from_pem(self.pem.as_bytes()).expect("a certificate");
        http_client().tls_certs_only([certificate]).no_proxy()
    }

    /// TLS of a client that trusts only this CA, and speaks this protocol.
    pub(crate) fn client_config(&self, protocol: &[u8]) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        let certificate = CertificateDer::from_pem_slice(self.pem.as_bytes());
        roots
            .add(certificate.expect("a certificate"))
            .expect("a CA");
        let provider = Arc::new(ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("TLS 1.2 and 1.3")
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![protocol.to_vec()];
        Arc::new(config)
    }
}

impl Issued {
    /// The certificate, for a client of the tests.
    pub(crate) fn identity(&self) -> Identity {
        let both = format!("{}{}", self.key, self.certificate);
        Identity::from_pem(both.as_bytes()).expect("a certificate and its key")
    }

    /// The certificate and its key, for a server of the tests.
    pub(crate) fn pair(&self) -> (CertificateDer<'static>, PrivateKeyDer<'static>) {
        let certificate = CertificateDer::from_pem_slice(self.certificate.as_bytes());
        let key = PrivateKeyDer::from_pem_slice(self.key.as_bytes());
        (certificate.expect("a certificate"), key.expect("a key"))
    }
}

/// Writes a file, and returns its path.
pub(crate) fn write(folder: &TemporaryFolder, name: &str, content: &str) -> String {
    let path = format!("{}/{name}", folder.path());
    fs::write(&path, content).expect("a file of the test");
    path
}
