//! Settings of TLS: pairs of a certificate and its private key, and TLS of accepted connections.

use std::path::PathBuf;

use reqwest::{Identity, Url};

use super::reader::Reader;
use crate::tls::{FileProblem, NamedFile, ServerFiles, ServerTls, read_pair};

/// Reads TLS of the connections that the process accepts. `None` without a certificate, or if there are problems.
pub(super) fn server_tls(reader: &mut Reader<'_>) -> Option<ServerTls> {
    let pair = pair(reader, ["TLS_CERT_FILE", "TLS_KEY_FILE"]);
    let client_ca = file(reader, "TLS_CLIENT_CA_FILE");
    let Some([certificate, key]) = pair else {
        if let Some(client_ca) = client_ca {
            let problem = "is set, but has no effect without TLS_CERT_FILE and TLS_KEY_FILE";
            reader.problem("TLS_CLIENT_CA_FILE", problem);
            report(reader, certificates_of(&client_ca).err());
        }
        return None;
    };
    let files = ServerFiles {
        certificate,
        key,
        client_ca,
    };
    ServerTls::load(files)
        .map_err(|problems| report(reader, problems))
        .ok()
}

/// Reads the certificate that the gateway shows to Fineract at `url`, with its private key.
pub(super) fn identity(reader: &mut Reader<'_>, url: Option<&Url>) -> Option<Identity> {
    const CERTIFICATE: &str = "FINERACT_CLIENT_CERT_FILE";
    let [certificate, key] = pair(reader, [CERTIFICATE, "FINERACT_CLIENT_KEY_FILE"])?;
    if url.is_some_and(|url| url.scheme() != "https") {
        let problem =
            "is set, but has no effect, because FINERACT_URL does not begin with https://";
        reader.problem(CERTIFICATE, problem);
    }
    if let Err(problems) = read_pair(&certificate, &key) {
        report(reader, problems);
        return None;
    }
    let both = [key.read(), certificate.read()]
        .into_iter()
        .collect::<Result<Vec<_>, _>>();
    let both = both.map_err(|problem| report(reader, [problem])).ok()?;
    let identity = Identity::from_pem(&both.join(&b'\n'));
    if identity.is_err() {
        reader.problem(CERTIFICATE, "cannot be used with its private key");
    }
    identity.ok()
}

/// The two files of a pair; `None` unless both are set. If only one is set, that is a problem, and the other file is
/// checked nevertheless.
fn pair(reader: &mut Reader<'_>, [certificate, key]: [&'static str; 2]) -> Option<[NamedFile; 2]> {
    match (file(reader, certificate), file(reader, key)) {
        (Some(certificate), Some(key)) => return Some([certificate, key]),
        (Some(file), None) => {
            reader.problem(key, format!("is missing, but {certificate} is set"));
            report(reader, certificates_of(&file).err());
        }
        (None, Some(file)) => {
            reader.problem(certificate, format!("is missing, but {key} is set"));
            let read = file.read().and_then(|content| file.private_key(&content));
            report(reader, read.err());
        }
        (None, None) => {}
    }
    None
}

fn file(reader: &Reader<'_>, variable: &'static str) -> Option<NamedFile> {
    let path = PathBuf::from(reader.text(variable)?);
    Some(NamedFile { variable, path })
}

fn certificates_of(file: &NamedFile) -> Result<(), FileProblem> {
    file.certificates(&file.read()?).map(drop)
}

fn report(reader: &mut Reader<'_>, problems: impl IntoIterator<Item = FileProblem>) {
    for FileProblem { variable, problem } in problems {
        reader.problem(variable, problem);
    }
}
