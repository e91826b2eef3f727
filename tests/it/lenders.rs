//! Gateways that know different lenders.

use sqlx::PgPool;

use crate::support::{
    fixtures::{client, loan_from},
    system::System,
};

/// Two gateways have different `LENDERS`. An operation whose lender one of them does not know waits for the other one.
#[sqlx::test]
async fn a_lender_that_a_gateway_does_not_know_is_left_to_one_that_does(pool: PgPool) {
    let mut system = System::start(&pool).await;
    system.set("LENDERS", "UGRO,DMI");
    system.set("ROLE", "api");
    let door = system.gateway().await;
    system.set("ROLE", "all");
    system.set("LENDERS", "UGRO");
    let without = system.gateway().await;
    let client = without.run("CLIENT_CREATE", client("C")).await;
    assert_eq!(client["status"], "success", "{client}");
    let of_dmi = door.send("LOAN_CREATE", loan_from("DMI", "L-1", "C")).await;
    let of_ugro = without
        .run("LOAN_CREATE", loan_from("UGRO", "L-2", "C"))
        .await;
    assert_eq!(of_ugro["status"], "success", "{of_ugro}");
    let state = sqlx::query_scalar!("SELECT state FROM operation WHERE lender = 'DMI'");
    assert_eq!(state.fetch_one(&pool).await.unwrap(), "ready");
    assert!(without.shut_down().await);
    system.set("LENDERS", "UGRO,DMI");
    let with = system.gateway().await;
    assert_eq!(with.end_of(&of_dmi).await["status"], "success");
    assert!(with.shut_down().await);
}
