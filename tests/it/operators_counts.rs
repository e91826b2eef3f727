//! `GET /fineract/operations/counts` counts up to a limit.

use sqlx::PgPool;

use crate::support::{TestGateway, fixtures::client_create, operators::Operator};

#[sqlx::test]
async fn a_count_ends_at_its_limit(pool: PgPool) {
    let gateway = TestGateway::start(pool.clone()).await;
    gateway.accept(&client_create("C-1")).await;
    sqlx::query!(
        "WITH many AS (
             INSERT INTO operation (id, type, state, lane, position, blocked_by, ended_at)
             SELECT gen_random_uuid(), 'CLIENT_UPDATE', state, 'client:many', n, 0, now()
               FROM generate_series(1, 10500) n, (VALUES ('succeeded'), ('failed')) states (state)
          RETURNING id, state), codes AS (
             INSERT INTO result (operation_id, code)
             SELECT id, 'common' FROM many WHERE state = 'failed'
              UNION ALL
             SELECT gen_random_uuid(), code FROM (VALUES ('a_rare'), ('z_rare')) rare (code))
         INSERT INTO payload (operation_id, caller, data, lane)
         SELECT id, 'los', '{}', 'client:many' FROM many"
    )
    .execute(&pool)
    .await
    .unwrap();
    let operator = Operator::of(gateway.address);
    let texts = async |query: &str| {
        let body = operator
            .get(&format!("/operations/counts?{query}"))
            .await
            .json();
        let counts = body["counts"].as_array().expect("counts").iter();
        let texts = counts.map(|count| format!("{} {}", count["value"], count["text"]));
        texts.collect::<Vec<_>>().join(", ").replace('"', "")
    };
    let all = texts("by=state").await;
    assert!(
        all.starts_with("failed 10000+, ready 1, succeeded "),
        "{all}"
    );
    assert!(all.ends_with('+'), "{all}");
    let failed = "state=failed";
    assert_eq!(
        texts(&format!("by=type&{failed}")).await,
        "CLIENT_UPDATE 10000+"
    );
    assert_eq!(
        texts(&format!("by=reason_code&{failed}")).await,
        "a_rare 1, common 10000+, z_rare 1"
    );
}
