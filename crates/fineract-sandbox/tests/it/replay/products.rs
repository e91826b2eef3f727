use fineract_sandbox::{Release, Sandbox};
use serde_json::json;

use super::Replay;
use super::client::Client;
use super::recorded::{Comparison, Names};
use super::scenarios::recording;

/// The keys that only the read of a single product contains (recorded in `product-reads`).
const NOT_LISTED: [&str; 4] = ["paymentAllocation", "creditAllocation", "charges", "rates"];

#[tokio::test]
async fn products_read_as_recorded_also_those_that_setup_made() {
    let release = Release::Develop;
    let recording = recording(release, "products");
    let mut made = Replay::start(release, "setup").await;
    made.run().await;
    for client in [Client::start(Sandbox::new(), release).await, made.client] {
        let listed = client.get("/loanproducts").await;
        let listed = listed.as_array().expect("products");
        for product in listed {
            let name = product["name"].as_str().expect("a name");
            let id = product["id"].as_str().expect("a number").replace('#', "");
            let mut whole = client.get(&format!("/loanproducts/{id}")).await;
            // The recordings omit this list, like all lists of options.
            let options = whole.as_object_mut().expect("an object");
            assert_eq!(
                options.shift_remove("delinquencyBucketOptions"),
                Some(json!([]))
            );
            let names = Names::new();
            let mut comparison = Comparison {
                names: &names,
                is_read: true,
                differences: vec![],
            };
            comparison.value(name, &recording["products"][name], &whole);
            for key in NOT_LISTED {
                whole.as_object_mut().expect("an object").shift_remove(key);
            }
            comparison.value(name, &whole, product);
            assert!(
                comparison.differences.is_empty(),
                "{:#?}",
                comparison.differences
            );
        }
        assert_eq!(listed.len(), 10);
    }
}
