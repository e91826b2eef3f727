//! A thousand operations on a hundred loans, run by two processes. One process is killed.

use std::collections::HashMap;

use serde_json::Value;
use sqlx::PgPool;

use crate::support::{
    fixtures::{self, approve, disburse, principal},
    system::System,
};

const LOANS: usize = 100;
const UPDATES: u64 = 6;

/// The operations of one loan and its client, in their order.
fn operations_of(loan: usize) -> Vec<(&'static str, Value)> {
    let (client, id) = (format!("C-{loan}"), format!("L-{loan}"));
    let mut operations = vec![
        ("CLIENT_CREATE", fixtures::client(&client)),
        ("LOAN_CREATE", fixtures::loan(&id, &client)),
    ];
    operations.extend((1..=UPDATES).map(|step| ("LOAN_UPDATE", principal(&id, 100_000 + step))));
    operations.push(("LOAN_APPROVE", approve(&id)));
    operations.push(("LOAN_DISBURSE", disburse(&id)));
    operations
}

#[sqlx::test]
async fn each_of_a_thousand_operations_takes_effect_once_and_in_order(pool: PgPool) {
    let mut system = System::start(&pool).await;
    system.set("FINERACT_MAX_IN_FLIGHT", "4");
    let survivor = system.process().await;
    let mut victim = system.process().await;
    let mut accepted: Vec<Vec<String>> = vec![Vec::new(); LOANS];
    let loans: Vec<Vec<_>> = (0..LOANS).map(operations_of).collect();
    let count = loans[0].len();
    for step in 0..count {
        for (loan, operations) in loans.iter().enumerate() {
            let (operation_type, data) = operations[step].clone();
            // Both processes accept operations. The test waits for each answer, because otherwise the order of
            // acceptance is not defined.
            let to_victim = loan % 2 == 1 && step <= count / 2;
            let gateway = if to_victim { &victim } else { &survivor };
            accepted[loan].push(gateway.send(operation_type, data).await);
        }
        if step == count / 2 {
            victim.kill().await;
        }
    }
    for tracking_id in accepted.iter().flatten() {
        let end = survivor.end_of(tracking_id).await;
        assert_eq!(end["status"], "success", "{end}");
    }

    let mut sequence: HashMap<String, Vec<u64>> = HashMap::new();
    for entry in system.ledger().await {
        let key = entry["idempotencyKey"].as_str().unwrap();
        let operation = key.rsplit_once('-').unwrap().0.to_owned();
        sequence
            .entry(operation)
            .or_default()
            .push(entry["seq"].as_u64().unwrap());
    }
    assert_eq!(sequence.len(), LOANS * count);
    for tracking_ids in &accepted {
        let order: Vec<_> = tracking_ids
            .iter()
            .map(|id| sequence[id.split_once('|').unwrap().1].as_slice())
            .collect();
        assert!(
            order.iter().all(|effects| effects.len() == 1),
            "a second effect: {order:?}"
        );
        assert!(order.is_sorted(), "out of order: {order:?}");
    }
}
