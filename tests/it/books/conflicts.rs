//! Two lanes get the same number. The gateway records the conflict, and neither completion fails.

use fineract_gateway::{
    domain::{End, OperationType, Outcome, ResourceId},
    store::Completion,
};
use serde_json::json;
use sqlx::PgPool;

use crate::support::{TestGateway, claim_limits, fixtures::client_create, operators::Operator};

#[sqlx::test]
async fn a_number_that_another_lane_has_is_recorded(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    for external_id in ["C-1", "c-2", "C-3"] {
        gateway.accept(&client_create(external_id)).await;
    }
    let limits = claim_limits(10, &[OperationType::ClientCreate]);
    for claimed in gateway.store.claim(&limits).await.unwrap() {
        let (number, external_id) = match claimed.lane_entries.lane.as_str() {
            "client:c-1" => (1, "C-1"),
            "client:c-2" => (1, "c-2"),
            _ => (3, "C-3"),
        };
        let completion = Completion::of(
            &claimed,
            None,
            Outcome::End(End::Succeeded {
                body: "{}".to_owned(),
                resource_id: ResourceId::Known {
                    number,
                    external_id: Some(external_id.to_owned()),
                },
            }),
        );
        assert!(gateway.store.complete(completion).await.unwrap());
    }
    let books = Operator::of(gateway.address).get("/books").await.json();
    assert_eq!(books["epoch"], 1);
    let conflicts = books["number_conflicts"].as_array().unwrap();
    assert_eq!(conflicts.len(), 1, "{books}");
    let mut lanes = [&conflicts[0]["lane"], &conflicts[0]["other_lane"]];
    lanes.sort_by_key(ToString::to_string);
    assert_eq!(lanes, [&json!("client:c-1"), &json!("client:c-2")]);
    assert_eq!(conflicts[0]["number"], 1);
    let newest = gateway.store.newest_clients(5).await.unwrap();
    let names: Vec<_> = newest
        .iter()
        .map(|client| client.external_id.as_deref())
        .collect();
    assert_eq!(
        names[0],
        Some("C-3"),
        "the newest client is first, with the external id as it was sent"
    );
    assert_eq!(names.len(), 3);
}
