//! What a tenant needs before its first loan, as defined in `wanted.json`.

use anyhow::Context as _;
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// The JSON body of a request.
pub(super) type Body = Map<String, Value>;

/// The currency, the charge and the products that a new Fineract lacks.
#[derive(Debug, Deserialize)]
pub(super) struct Wanted {
    /// The currency's code of three letters.
    pub(super) currency: String,
    /// The charge that some products collect at the disbursement.
    pub(super) charge: Body,
    /// The lenders whose products have the charge.
    charged: Vec<String>,
    /// The fields that all products have in common.
    product: Body,
    /// The additional or different fields of each lender's product.
    lenders: Map<String, Value>,
}

impl Wanted {
    /// Reads the embedded file.
    pub(super) fn read() -> anyhow::Result<Self> {
        serde_json::from_str(include_str!("wanted.json")).context("cannot read wanted.json")
    }

    /// Whether the lender's product has the charge.
    pub(super) fn is_charged(&self, lender: &str) -> bool {
        self.charged.iter().any(|charged| charged == lender)
    }

    /// The body of the lender's product, with the name from the settings and the charge with this id. `None` if the
    /// file does not contain the lender.
    pub(super) fn product(&self, lender: &str, name: &str, charge: Option<i64>) -> Option<Body> {
        let own = self.lenders.get(lender)?.as_object()?;
        let mut product = self.product.clone();
        product.insert("name".to_owned(), json!(name));
        product.extend(own.clone());
        if let Some(id) = charge {
            product.insert("charges".to_owned(), json!([{ "id": id }]));
        }
        Some(product)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// The bodies are equal to the recorded bodies that a real Fineract accepted.
    #[test]
    fn the_products_are_the_recorded_ones() {
        const RECORDED: &str =
            include_str!("../../../crates/fineract-sandbox/tests/recorded/setup.json");
        let wanted = Wanted::read().unwrap();
        let recorded: Value = serde_json::from_str(RECORDED).unwrap();
        let bodies = |path: &str| -> Vec<Value> {
            let steps = recorded["steps"].as_array().unwrap().iter();
            steps
                .map(|step| &step["request"])
                .filter(|request| request["path"] == path)
                .map(|request| request["body"].clone())
                .collect()
        };
        assert_eq!(bodies("/charges"), [Value::from(wanted.charge.clone())]);
        let products: BTreeMap<String, Value> = bodies("/loanproducts")
            .into_iter()
            .map(|body| (body["name"].as_str().unwrap().to_owned(), body))
            .filter(|(name, _)| name != "CLOSED")
            .collect();
        assert_eq!(products.len(), wanted.lenders.len());
        for (lender, expected) in products {
            let charge = wanted.is_charged(&lender).then_some(7);
            let expected = expected.to_string().replace("\"{{charge}}\"", "7");
            let product = wanted.product(&lender, &lender, charge).unwrap();
            assert_eq!(
                Value::from(product),
                serde_json::from_str::<Value>(&expected).unwrap(),
                "{lender}"
            );
        }
    }
}
