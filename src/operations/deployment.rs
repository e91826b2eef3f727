//! What differs from one deployment to the next.

/// What differs from one deployment to the next.
#[derive(Clone, Debug)]
pub struct Deployment {
    /// The office of new clients (`FINERACT_OFFICE_ID`).
    pub office_id: i64,
    /// The payment type under which a UTR goes to `receiptNumber` (`FINERACT_PAYMENT_TYPE`).
    pub payment_type: Option<String>,
    /// The allowed values of `lenderConfig`, each with its product's name (`LENDERS`), in the order given.
    pub lenders: Vec<(String, String)>,
}

impl Deployment {
    /// The product's name of a `lenderConfig`, if it is allowed.
    pub fn product_of(&self, lender: &str) -> Option<&str> {
        let found = self.lenders.iter().find(|(name, _)| name == lender);
        found.map(|(_, product)| product.as_str())
    }
}
