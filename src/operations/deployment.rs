//! The settings of a deployment that payloads and requests depend on.

/// The settings of a deployment that payloads and requests depend on.
#[derive(Clone, Debug)]
pub struct Deployment {
    /// The number of the office of new clients (`FINERACT_OFFICE_ID`).
    pub office_id: i64,
    /// The name of the payment type with which a UTR is sent as `receiptNumber` (`FINERACT_PAYMENT_TYPE`).
    pub payment_type: Option<String>,
    /// The allowed values of `lenderConfig`, each with the name of its Fineract product (`LENDERS`), in the
    /// configured order.
    pub lenders: Vec<(String, String)>,
}

impl Deployment {
    /// The name of the product for a `lenderConfig`, if this value is allowed.
    pub fn product_of(&self, lender: &str) -> Option<&str> {
        let found = self.lenders.iter().find(|(name, _)| name == lender);
        found.map(|(_, product)| product.as_str())
    }
}
