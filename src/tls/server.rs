//! TLS of the connections that this process accepts. The certificate is read again when its files change.

use std::{
    fmt, mem,
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, SystemTime},
};

use rustls::{
    RootCertStore, ServerConfig,
    crypto::ring,
    pki_types::CertificateDer,
    server::{WebPkiClientVerifier, danger::ClientCertVerifier},
};
use sha2::{Digest as _, Sha256};
use tokio::{
    task::spawn_blocking,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;
use x509_parser::parse_x509_certificate;

use super::files::{FileProblem, NamedFile, parse_pair};

/// How often the files are read. New content is used if the next reading finds the same, because the files of a pair
/// are written one after the other.
const POLL: Duration = Duration::from_secs(2);
/// How long before its end a certificate is reported in the log.
const SOON: Duration = Duration::from_hours(14 * 24);
/// How often the log tells it.
const REPORT_EVERY: Duration = Duration::from_hours(24);

/// The files for TLS of accepted connections.
#[derive(Clone, Debug)]
pub struct ServerFiles {
    /// The certificate, followed by those that lead to its CA.
    pub certificate: NamedFile,
    /// The private key of the certificate.
    pub key: NamedFile,
    /// The certificates of the CAs of clients. With them, a client without a certificate of such a CA is refused.
    pub client_ca: Option<NamedFile>,
}

/// What was read of the files at one time.
struct Contents {
    certificate: Result<Vec<u8>, FileProblem>,
    key: Result<Vec<u8>, FileProblem>,
    client_ca: Option<Result<Vec<u8>, FileProblem>>,
}

/// What is used of the files.
struct Loaded {
    config: Arc<ServerConfig>,
    /// Cancelled when clients have to show their certificates again.
    expelled: CancellationToken,
    /// When the first of the certificates in the file ends, as the time since 1970.
    ends_at: Duration,
}

/// TLS of the accepted connections, as the files describe it. Cheap to clone.
#[derive(Clone)]
pub struct ServerTls {
    files: ServerFiles,
    loaded: Arc<RwLock<Loaded>>,
    /// The digest of the contents that were loaded first.
    first: [u8; 32],
}

impl fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerTls")
            .field("files", &self.files)
            .finish_non_exhaustive()
    }
}

impl ServerTls {
    /// Reads the files. An error names all problems.
    pub fn load(files: ServerFiles) -> Result<Self, Vec<FileProblem>> {
        let contents = files.read();
        let first = contents.digest();
        let loaded = Arc::new(RwLock::new(files.load(contents)?));
        Ok(Self {
            files,
            loaded,
            first,
        })
    }

    /// What the next connection uses, and what is cancelled when it has to end because the CA of clients was replaced.
    pub fn current(&self) -> (Arc<ServerConfig>, CancellationToken) {
        let loaded = self.loaded.read().unwrap_or_else(PoisonError::into_inner);
        (Arc::clone(&loaded.config), loaded.expelled.clone())
    }

    /// How long the certificate is still valid; zero if it has ended.
    pub fn valid_for(&self) -> Duration {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        self.ends_at().saturating_sub(now.unwrap_or_default())
    }

    fn ends_at(&self) -> Duration {
        let loaded = self.loaded.read().unwrap_or_else(PoisonError::into_inner);
        loaded.ends_at
    }

    /// Runs until it is cancelled, and uses the files again whenever their contents have changed. Connections keep what
    /// they began with, but end after their requests if clients need certificates. If the new contents cannot be used, the
    /// old ones stay in use.
    pub async fn follow_files(self) {
        let mut reported = self.report();
        set_refused(false);
        let (mut tried, mut seen) = (self.first, self.first);
        loop {
            sleep(POLL).await;
            if reported.elapsed() > REPORT_EVERY {
                reported = self.report();
            }
            let files = self.files.clone();
            let Ok(contents) = spawn_blocking(move || files.read()).await else {
                continue;
            };
            let digest = contents.digest();
            let is_whole = digest == seen;
            seen = digest;
            if !is_whole || digest == tried {
                continue;
            }
            tried = digest;
            match self.files.load(contents) {
                Ok(loaded) => {
                    self.replace(loaded);
                    tracing::info!("the changed TLS files are used from now on");
                    reported = self.report();
                    set_refused(false);
                }
                Err(problems) => {
                    let problems: Vec<_> = problems.iter().map(ToString::to_string).collect();
                    let problems = problems.join("; ");
                    tracing::error!(%problems, "the changed TLS files cannot be used; the old certificate stays in use");
                    set_refused(true);
                }
            }
        }
    }

    fn replace(&self, loaded: Loaded) {
        let mut current = self.loaded.write().unwrap_or_else(PoisonError::into_inner);
        let old = mem::replace(&mut *current, loaded);
        if self.files.client_ca.is_some() {
            old.expelled.cancel();
        }
    }

    /// Reports when the certificate ends, and returns the time of the report.
    fn report(&self) -> Instant {
        metrics::gauge!("gateway_tls_certificate_end_timestamp_seconds").set(self.ends_at());
        let left = self.valid_for();
        if left < SOON {
            let hours_left = left.as_secs() / 3600;
            tracing::warn!(hours_left, "the certificate of TLS_CERT_FILE ends soon");
        }
        Instant::now()
    }
}

fn set_refused(are_refused: bool) {
    metrics::gauge!("gateway_tls_files_refused").set(u8::from(are_refused));
}

impl ServerFiles {
    fn read(&self) -> Contents {
        Contents {
            certificate: self.certificate.read(),
            key: self.key.read(),
            client_ca: self.client_ca.as_ref().map(NamedFile::read),
        }
    }

    fn load(&self, contents: Contents) -> Result<Loaded, Vec<FileProblem>> {
        let pair = parse_pair(
            (&self.certificate, contents.certificate),
            (&self.key, contents.key),
        );
        let verifier = match self.client_ca.as_ref().zip(contents.client_ca) {
            Some((file, content)) => content.and_then(|content| verifier(file, &content)),
            None => Ok(WebPkiClientVerifier::no_client_auth()),
        };
        let ((chain, key), verifier) = match (pair, verifier) {
            (Ok(pair), Ok(verifier)) => (pair, verifier),
            (pair, verifier) => {
                let problems = pair.err().unwrap_or_default();
                return Err(problems.into_iter().chain(verifier.err()).collect());
            }
        };
        let unusable = || vec![self.certificate.problem("contains no valid certificate")];
        let ends = chain.iter().map(end_of).collect::<Option<Vec<_>>>();
        let ends_at = ends
            .and_then(|ends| ends.into_iter().min())
            .ok_or_else(unusable)?;
        let config = ServerConfig::builder_with_provider(ring::default_provider().into())
            .with_safe_default_protocol_versions()
            .map(|builder| builder.with_client_cert_verifier(verifier))
            .and_then(|builder| builder.with_single_cert(chain, key));
        let mut config = config.ok().ok_or_else(unusable)?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Loaded {
            config: Arc::new(config),
            expelled: CancellationToken::new(),
            ends_at,
        })
    }
}

fn verifier(file: &NamedFile, content: &[u8]) -> Result<Arc<dyn ClientCertVerifier>, FileProblem> {
    let unusable = || file.problem("contains no valid certificate of a CA");
    let mut roots = RootCertStore::empty();
    for certificate in file.certificates(content)? {
        roots.add(certificate).ok().ok_or_else(unusable)?;
    }
    let provider = ring::default_provider().into();
    let built = WebPkiClientVerifier::builder_with_provider(roots.into(), provider).build();
    built.ok().ok_or_else(unusable)
}

/// When a certificate ends, as the time since 1970.
fn end_of(certificate: &CertificateDer<'_>) -> Option<Duration> {
    let (_, certificate) = parse_x509_certificate(certificate).ok()?;
    let seconds = certificate.validity().not_after.timestamp();
    Some(Duration::from_secs(seconds.try_into().unwrap_or_default()))
}

impl Contents {
    fn digest(&self) -> [u8; 32] {
        let mut digest = Sha256::new();
        let all = [
            Some(&self.certificate),
            Some(&self.key),
            self.client_ca.as_ref(),
        ];
        for content in all.into_iter().flatten() {
            match content {
                Ok(content) => {
                    digest.update(content.len().to_be_bytes());
                    digest.update(content);
                }
                Err(problem) => digest.update(problem.problem.as_bytes()),
            }
        }
        digest.finalize().into()
    }
}
