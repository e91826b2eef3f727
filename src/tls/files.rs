//! Certificates and private keys in PEM files.

use std::{
    fmt::{self, Display},
    path::PathBuf,
};

use rustls::{
    Error,
    crypto::ring,
    pki_types::{
        CertificateDer, PrivateKeyDer,
        pem::{self, PemObject as _},
    },
    sign::CertifiedKey,
};

/// A file that a setting names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedFile {
    /// The name of the setting.
    pub variable: &'static str,
    /// The value of the setting.
    pub path: PathBuf,
}

/// What is wrong with a file. It says nothing of the file's content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileProblem {
    /// The name of the setting.
    pub variable: &'static str,
    /// The problem, as the rest of a sentence that begins with the setting's name.
    pub problem: String,
}

impl Display for FileProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.variable, self.problem)
    }
}

/// A certificate with those that lead to its CA, and its private key.
type Pair = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

impl NamedFile {
    /// Reads the content.
    pub fn read(&self) -> Result<Vec<u8>, FileProblem> {
        std::fs::read(&self.path).map_err(|error| self.problem(format!("cannot be read: {error}")))
    }

    /// The certificates in this content of the file. There is at least one.
    pub fn certificates(
        &self,
        content: &[u8],
    ) -> Result<Vec<CertificateDer<'static>>, FileProblem> {
        // An error of the parser may contain a line of the file.
        let Ok(certificates) =
            CertificateDer::pem_slice_iter(content).collect::<Result<Vec<_>, _>>()
        else {
            return Err(self.problem("is not in PEM format"));
        };
        if certificates.is_empty() {
            return Err(self.problem("contains no certificate in PEM format"));
        }
        Ok(certificates)
    }

    /// The private key in this content of the file.
    pub fn private_key(&self, content: &[u8]) -> Result<PrivateKeyDer<'static>, FileProblem> {
        PrivateKeyDer::from_pem_slice(content).map_err(|error| {
            self.problem(if matches!(error, pem::Error::NoItemsFound) {
                "contains no private key in PEM format, or only an encrypted one"
            } else {
                "is not in PEM format"
            })
        })
    }

    pub(super) fn problem(&self, what: impl Display) -> FileProblem {
        FileProblem {
            variable: self.variable,
            problem: format!("names {}, which {what}", self.path.display()),
        }
    }
}

/// Reads a certificate and its private key. An error names all problems, also that the key belongs to another
/// certificate.
pub fn read_pair(certificate: &NamedFile, key: &NamedFile) -> Result<Pair, Vec<FileProblem>> {
    parse_pair((certificate, certificate.read()), (key, key.read()))
}

/// As [`read_pair`], from what was read of the files.
pub(super) fn parse_pair(
    (certificate, chain): (&NamedFile, Result<Vec<u8>, FileProblem>),
    (key, private): (&NamedFile, Result<Vec<u8>, FileProblem>),
) -> Result<Pair, Vec<FileProblem>> {
    let chain = chain.and_then(|content| certificate.certificates(&content));
    let private = private.and_then(|content| key.private_key(&content));
    let (chain, private) = match (chain, private) {
        (Ok(chain), Ok(private)) => (chain, private),
        (chain, private) => {
            return Err([chain.err(), private.err()].into_iter().flatten().collect());
        }
    };
    let Ok(signing) = ring::sign::any_supported_type(&private) else {
        let problem = key.problem("contains a private key of a kind that is not supported");
        return Err(vec![problem]);
    };
    match CertifiedKey::new(chain.clone(), signing).keys_match() {
        Ok(()) => Ok((chain, private)),
        Err(Error::InconsistentKeys(_)) => {
            let other = format!(
                "does not belong to the certificate of {}",
                certificate.variable
            );
            Err(vec![key.problem(other)])
        }
        Err(_) => Err(vec![certificate.problem("contains no valid certificate")]),
    }
}
