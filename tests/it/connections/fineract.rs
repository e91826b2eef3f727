//! TLS with Fineract: a private CA, and a client that must show a certificate.

use std::{net::SocketAddr, sync::Arc};

use serde_json::Value;
use sqlx::PgPool;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        RootCertStore, ServerConfig,
        crypto::ring,
        pki_types::{CertificateDer, pem::PemObject as _},
        server::WebPkiClientVerifier,
    },
};
use tokio_util::task::TaskTracker;

use crate::support::{
    authority::{Authority, write},
    command::{TemporaryFolder, run},
    eventually::eventually,
    fixtures::client,
    system::System,
};

/// A proxy before a Fineract, which passes on what clients with a certificate of the CA send.
async fn proxy(authority: &Authority, fineract: SocketAddr) -> SocketAddr {
    let mut roots = RootCertStore::empty();
    let certificate = CertificateDer::from_pem_slice(authority.pem.as_bytes());
    roots
        .add(certificate.expect("a certificate"))
        .expect("a CA");
    let provider = Arc::new(ring::default_provider());
    let verifier =
        WebPkiClientVerifier::builder_with_provider(roots.into(), Arc::clone(&provider)).build();
    let (certificate, key) = authority.issue(2040).pair();
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("TLS 1.2 and 1.3")
        .with_client_cert_verifier(verifier.expect("a CA"))
        .with_single_cert(vec![certificate], key)
        .expect("a pair");
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let tasks = TaskTracker::new();
    tasks.clone().spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tasks.spawn(async move {
                let mut caller = acceptor.accept(stream).await?;
                let mut fineract = TcpStream::connect(fineract).await?;
                copy_bidirectional(&mut caller, &mut fineract).await
            });
        }
    });
    address
}

#[sqlx::test]
async fn the_gateway_shows_its_certificate_to_fineract(pool: PgPool) {
    let (authority, folder) = (Authority::new(), TemporaryFolder::new());
    let mut system = System::start(&pool).await;
    let proxy = proxy(&authority, system.sandbox).await;
    let url = format!(
        "https://localhost:{}/fineract-provider/api/v1",
        proxy.port()
    );
    system.set("FINERACT_URL", &url);
    system.set(
        "FINERACT_CA_FILE",
        &write(&folder, "ca.crt", &authority.pem),
    );

    let without = system.gateway().await;
    let tracking_id = without.send("CLIENT_CREATE", client("C")).await;
    eventually(
        "the gateway reports that Fineract is not reached",
        async || {
            let ready: Value = without.get("/readyz").await.json();
            ready["fineract"]["reason"] == "fineract_unreachable"
        },
    )
    .await;
    assert!(system.ledger().await.is_empty());
    let variables = system.variables();
    let variables: Vec<_> = variables
        .iter()
        .map(|(name, value)| (&**name, &**value))
        .collect();
    let doctor = run(&["doctor"], &variables).await;
    assert!(
        doctor.stdout.contains("FINERACT_CLIENT_CERT_FILE"),
        "{}",
        doctor.stdout
    );
    without.shut_down().await;

    let issued = authority.issue(2040);
    let file = write(&folder, "client.crt", &issued.certificate);
    system.set("FINERACT_CLIENT_CERT_FILE", &file);
    system.set(
        "FINERACT_CLIENT_KEY_FILE",
        &write(&folder, "client.key", &issued.key),
    );
    let with = system.gateway().await;
    assert_eq!(with.end_of(&tracking_id).await["status"], "success");
    assert_eq!(system.ledger().await.len(), 1);
}
