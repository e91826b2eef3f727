//! Who may use the operators' API, and what names an operation there.

use fineract_gateway::http::Tokens;
use reqwest::Method;
use secrecy::SecretString;
use sqlx::PgPool;

use crate::support::{Answer, TOKEN, TestGateway, client_create, operators::Operator};

const ID: &str = "406362bf-f3da-4bc6-a506-d67e0878b7b6";

fn routes() -> [(Method, String); 14] {
    [
        (Method::GET, "/fineract/books".to_owned()),
        (Method::POST, "/fineract/books/epochs".to_owned()),
        (Method::POST, "/fineract/lanes/loan%3Al-1/number".to_owned()),
        (Method::GET, "/fineract/hold".to_owned()),
        (Method::POST, "/fineract/hold/release".to_owned()),
        (Method::POST, "/fineract/hold/end".to_owned()),
        (Method::GET, "/fineract/operations?state=on_hold".to_owned()),
        (Method::GET, "/fineract/operations?state=parked".to_owned()),
        (Method::GET, format!("/fineract/operations/{ID}")),
        (Method::POST, format!("/fineract/operations/{ID}/cancel")),
        (Method::POST, format!("/fineract/operations/{ID}/retry")),
        (Method::POST, format!("/fineract/operations/{ID}/hold")),
        (Method::POST, format!("/fineract/operations/{ID}/release")),
        (Method::POST, format!("/fineract/operations/{ID}/resolve")),
    ]
}

#[sqlx::test]
async fn every_route_asks_for_the_ops_scope(pool: PgPool) {
    let gateway = TestGateway::start(pool).await;
    for (method, path) in routes() {
        for base_path in ["", "/api", "/api/v1"] {
            let request = || gateway.request(method.clone(), &format!("{base_path}{path}"));
            let without = Answer::of(request()).await;
            assert_eq!(
                without.problem(),
                (401, "unauthorized".to_owned()),
                "{path}"
            );
            let with_another = Answer::of(request().header("X-Internal-Token", TOKEN)).await;
            assert_eq!(
                with_another.problem(),
                (403, "forbidden".to_owned()),
                "{path}"
            );
        }
    }
}

#[sqlx::test]
async fn without_operators_there_are_no_such_routes(pool: PgPool) {
    let gateway = TestGateway::start_with(pool, |state| {
        let secret = ("los".to_owned(), SecretString::from(TOKEN));
        state.tokens = Tokens::new(&[secret], &[]);
    })
    .await;
    for (method, path) in routes() {
        for method in [method, Method::DELETE] {
            let request = gateway.request(method, &path);
            let answer = Answer::of(request.header("X-Internal-Token", TOKEN)).await;
            assert_eq!(
                answer.problem(),
                (404, "unknown_route".to_owned()),
                "{path}"
            );
        }
    }
}

#[sqlx::test]
async fn an_operation_is_named_by_its_uuid_or_its_tracking_id(pool: PgPool) {
    let gateway = TestGateway::start(pool).await;
    let operator = Operator::of(gateway.address);
    let tracking_id = gateway.accept(&client_create("INC-1")).await;
    let uuid = tracking_id.split_once('|').unwrap().1;
    for name in [uuid, &tracking_id, &tracking_id.replace('|', "%7C")] {
        assert_eq!(operator.inspect(name).await["tracking_id"], *tracking_id);
    }
    let of_another_type = tracking_id.replace("CLIENT_CREATE", "LOAN_DELETE");
    for (name, status, code) in [
        (ID, 404, "unknown_tracking_id"),
        (&of_another_type, 404, "unknown_tracking_id"),
        ("CLIENT_CREATE|1", 400, "malformed_tracking_id"),
        ("x", 400, "malformed_tracking_id"),
        ("%FF", 400, "malformed_tracking_id"),
    ] {
        let mut answers = vec![
            Answer::of(operator.request(Method::GET, &format!("/{name}"))).await,
            operator.resolve(name, "failed").await,
        ];
        for action in ["cancel", "retry"] {
            answers.push(operator.act(name, action).await);
        }
        for answer in answers {
            assert_eq!(answer.problem(), (status, code.to_owned()), "{name}");
        }
    }
}
