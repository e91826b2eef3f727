//! Who may use the operators' API, and by which ids it finds operations.

use fineract_gateway::http::operators_routes;
use reqwest::Method;
use sqlx::PgPool;

use crate::support::{Answer, TOKEN, TestGateway, fixtures::client_create, operators::Operator};

const ID: &str = "406362bf-f3da-4bc6-a506-d67e0878b7b6";

/// Every route of the operators' API, with an operation, a lane and a query in its path if the route needs one.
fn routes() -> Vec<(Method, String)> {
    let mut routes = Vec::new();
    for (method, path) in operators_routes() {
        let path = path.replace("{id}", ID).replace("{lane}", "loan%3Al-1");
        if path == "/fineract/operations" {
            routes.push((method.clone(), format!("{path}?state=on_hold")));
            routes.push((method, format!("{path}?state=parked")));
        } else {
            routes.push((method, path));
        }
    }
    assert!(
        !routes.iter().any(|(_, path)| path.contains('{')),
        "{routes:?}"
    );
    routes
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
