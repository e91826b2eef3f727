//! TLS of the gateway itself: HTTP/1.1 and HTTP/2, clients with certificates, slow handshakes, early answers.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use axum::body::{Body, to_bytes};
use http::{Request, Response, header::HeaderMap};
use hyper::{body::Incoming, client::conn::http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use reqwest::Identity;
use serde_json::{Value, json};
use sqlx::PgPool;
use tokio::{io::AsyncWriteExt as _, net::TcpStream, time::timeout};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tokio_util::task::TaskTracker;

use super::{connect, connect_many, read_to_end};
use crate::support::{
    TOKEN,
    authority::{Authority, write},
    caller::Caller,
    command::{TemporaryFolder, run},
    eventually::{DEADLINE, eventually},
    fixtures::{client, envelope},
    system::System,
};

/// A gateway with TLS, in this process.
struct Bed {
    authority: Authority,
    gateway: Caller,
    _system: System,
    folder: TemporaryFolder,
}

/// A system whose gateways have a certificate of this CA, in these files.
pub(super) async fn system(
    pool: &PgPool,
    authority: &Authority,
    folder: &TemporaryFolder,
) -> System {
    let mut system = System::start(pool).await;
    let issued = authority.issue(2040);
    system.set(
        "TLS_CERT_FILE",
        &write(folder, "tls.crt", &issued.certificate),
    );
    system.set("TLS_KEY_FILE", &write(folder, "tls.key", &issued.key));
    system
}

impl Bed {
    async fn start(pool: &PgPool) -> Self {
        Self::start_with(pool, None).await
    }

    /// Starts a gateway that connects only with clients of this CA, if there is one.
    async fn start_with(pool: &PgPool, clients: Option<&Authority>) -> Self {
        let (authority, folder) = (Authority::new(), TemporaryFolder::new());
        let mut system = system(pool, &authority, &folder).await;
        if let Some(clients) = clients {
            let file = write(&folder, "clients.crt", &clients.pem);
            system.set("TLS_CLIENT_CA_FILE", &file);
        }
        Self {
            gateway: system.gateway().await,
            authority,
            _system: system,
            folder,
        }
    }

    fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.gateway.address.port())
    }

    /// A connection with TLS, for this protocol.
    async fn connect(&self, protocol: &[u8]) -> TlsStream<TcpStream> {
        let connector = TlsConnector::from(self.authority.client_config(protocol));
        let stream = connect(self.gateway.address).await;
        let name = "localhost".try_into().expect("a name");
        let stream = connector.connect(name, stream).await;
        stream.expect("the gateway has a certificate of this CA")
    }

    /// Sends a request by HTTP/2 on a connection of its own.
    async fn http2(&self, request: Request<Body>) -> Response<Incoming> {
        let stream = TokioIo::new(self.connect(b"h2").await);
        let (mut sender, connection) = http2::handshake(TokioExecutor::new(), stream)
            .await
            .expect("HTTP/2");
        TaskTracker::new().spawn(async move { drop(connection.await) });
        let answer = timeout(DEADLINE, sender.send_request(request)).await;
        answer.expect("an answer in time").expect("an answer")
    }
}

async fn json_of(answer: Response<Incoming>) -> (u16, HeaderMap, Value) {
    let (parts, body) = answer.into_parts();
    let body = to_bytes(Body::new(body), 1_000_000)
        .await
        .expect("a whole answer");
    let body = serde_json::from_slice(&body).unwrap_or_default();
    (parts.status.as_u16(), parts.headers, body)
}

fn operate(bed: &Bed) -> http::request::Builder {
    Request::post(bed.url("/fineract/operate/"))
        .header("X-Internal-Token", TOKEN)
        .header("Content-Type", "application/json")
}

#[sqlx::test]
async fn http_1_and_http_2_are_served_over_tls_and_nothing_without(pool: PgPool) {
    let bed = Bed::start(&pool).await;
    let answer = bed
        .authority
        .client()
        .build()
        .unwrap()
        .get(bed.url("/healthz"));
    assert_eq!(answer.send().await.unwrap().status(), 200);

    let body = envelope("CLIENT_CREATE", client("C")).to_string();
    let answer = bed
        .http2(operate(&bed).body(Body::from(body)).unwrap())
        .await;
    assert_eq!(answer.version(), http::Version::HTTP_2);
    let (status, headers, accepted) = json_of(answer).await;
    assert_eq!(status, 202, "{accepted}");
    let location = headers["location"].to_str().unwrap();
    assert!(location.starts_with("../track/"), "{location}");
    let posted = reqwest::Url::parse(&bed.url("/fineract/operate/")).unwrap();
    let end = Request::get(posted.join(location).unwrap().as_str())
        .header("X-Internal-Token", TOKEN)
        .header("Prefer", "wait=50");
    let (status, _, end) = json_of(bed.http2(end.body(Body::empty()).unwrap()).await).await;
    assert_eq!((status, &end["status"]), (200, &json!("success")), "{end}");

    let mut plain = connect(bed.gateway.address).await;
    plain
        .write_all(b"GET /healthz HTTP/1.1\r\n\r\n")
        .await
        .unwrap();
    let answer = timeout(DEADLINE, async {
        let mut answer = Vec::new();
        drop(tokio::io::AsyncReadExt::read_to_end(&mut plain, &mut answer).await);
        answer
    });
    assert!(!answer.await.unwrap().starts_with(b"HTTP"), "no plain HTTP");
}

#[sqlx::test]
async fn a_client_needs_a_certificate_of_the_ca_that_is_named(pool: PgPool) {
    let clients = Authority::new();
    let bed = Bed::start_with(&pool, Some(&clients)).await;
    let get = async |identity: Option<Identity>| {
        let mut client = bed.authority.client();
        if let Some(identity) = identity {
            client = client.identity(identity);
        }
        client
            .build()
            .unwrap()
            .get(bed.url("/healthz"))
            .send()
            .await
    };
    let right = get(Some(clients.issue(2040).identity())).await;
    assert_eq!(right.expect("a client of the CA").status(), 200);
    get(None).await.expect_err("no certificate");
    let foreign = Authority::new().issue(2040).identity();
    get(Some(foreign))
        .await
        .expect_err("a certificate of another CA");
    let old = clients.issue(2020).identity();
    get(Some(old))
        .await
        .expect_err("a certificate that has ended");
}

#[sqlx::test]
async fn clients_of_a_ca_that_was_replaced_lose_their_connections(pool: PgPool) {
    let [old, new] = [Authority::new(), Authority::new()];
    let bed = Bed::start_with(&pool, Some(&old)).await;
    let client = bed.authority.client().identity(old.issue(2040).identity());
    let client = client.build().unwrap();
    let get = || client.get(bed.url("/healthz")).send();
    assert_eq!(get().await.unwrap().status(), 200);
    write(&bed.folder, "clients.crt", &new.pem);
    // As long as its connection is open, the client needs no new one.
    eventually("the client is refused", async || get().await.is_err()).await;
    let client = bed.authority.client().identity(new.issue(2040).identity());
    let get = client.build().unwrap().get(bed.url("/healthz")).send();
    assert_eq!(get.await.unwrap().status(), 200);
}

#[sqlx::test]
async fn handshakes_that_stop_end_and_delay_nobody(pool: PgPool) {
    let bed = Bed::start(&pool).await;
    let started = Instant::now();
    let silent = connect_many(bed.gateway.address).await;
    let get = bed
        .authority
        .client()
        .build()
        .unwrap()
        .get(bed.url("/healthz"))
        .send();
    let answer = timeout(Duration::from_secs(5), get).await;
    assert_eq!(answer.expect("others do not wait").unwrap().status(), 200);
    for mut stream in silent {
        assert_eq!(read_to_end(&mut stream).await, "");
    }
    let lasted = started.elapsed().as_secs();
    assert!((9..20).contains(&lasted), "{lasted} s");
}

#[sqlx::test]
async fn early_answers_arrive_over_tls_and_http_2_too(pool: PgPool) {
    let bed = Bed::start(&pool).await;
    let size = 20 * 1024 * 1024;
    let head = format!(
        "POST /fineract/operate HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\nConnection: close\r\n\r\n"
    );
    let mut stream = bed.connect(b"http/1.1").await;
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
        .write_all(&vec![b' '; size])
        .await
        .expect("the body is taken");
    let answer = read_to_end(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");

    let request = Request::post(bed.url("/fineract/operate"));
    let request = request.body(Body::from(vec![b' '; size])).unwrap();
    let (status, _, problem) = json_of(bed.http2(request).await).await;
    assert_eq!((status, &problem["code"]), (401, &json!("unauthorized")));
}

#[sqlx::test]
async fn heads_and_bodies_of_http_2_have_limits(pool: PgPool) {
    let bed = Bed::start(&pool).await;
    let status = async |request: http::request::Builder, body: Body| {
        bed.http2(request.body(body).unwrap())
            .await
            .status()
            .as_u16()
    };
    let with = |count: usize, size: usize| {
        let mut request = Request::get(bed.url("/healthz"));
        for number in 0..count {
            request = request.header(format!("x-{number}"), "y".repeat(size));
        }
        request
    };
    assert_eq!(status(with(99, 1), Body::empty()).await, 200);
    assert_eq!(status(with(101, 1), Body::empty()).await, 431);
    assert_eq!(status(with(1, 15 * 1024), Body::empty()).await, 200);
    assert_eq!(status(with(2, 15 * 1024), Body::empty()).await, 431);
    let started = Instant::now();
    let never = Body::from_stream(futures_util::stream::pending::<
        Result<String, std::io::Error>,
    >());
    assert_eq!(status(operate(&bed), never).await, 408);
    let lasted = started.elapsed().as_secs();
    assert!((9..20).contains(&lasted), "{lasted} s");
}

#[sqlx::test]
async fn browsers_and_health_checks_reach_the_gateway_itself(pool: PgPool) {
    let bed = Bed::start(&pool).await;
    let address: SocketAddr = bed.gateway.address;
    let page = bed.authority.client().build().unwrap();
    let answer = page.get(format!("https://127.0.0.1:{}/ops/sign-in", address.port()));
    let answer = answer.send().await.unwrap();
    let cookie = answer.headers()["set-cookie"].to_str().unwrap();
    assert!(
        cookie.starts_with("__Host-ops=") && cookie.ends_with("; Secure"),
        "{cookie}"
    );
    let port = address.port();
    let health = run(
        &["health", "--url", &format!("https://127.0.0.1:{port}")],
        &[],
    )
    .await;
    assert_eq!(health.code, Some(0), "{}", health.stderr);
    assert!(bed.gateway.shut_down().await);
}
