//! The objects that the numbers in a command refer to. A number can refer to another object after Fineract's books
//! were restored or replaced.

use serde::{Deserialize, Serialize};

use super::{Facts, Request};

/// The kind of object that a number of Fineract refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReferentKind {
    /// A client, identified by its external id.
    Client,
    /// A loan, identified by its external id.
    Loan,
    /// A loan product, identified by its name.
    Product,
    /// A charge, identified by its name.
    Charge,
    /// A payment type, identified by its name.
    PaymentType,
    /// An office, identified by its name.
    Office,
}

/// The object that a number in a command referred to when the command was planned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Referent {
    /// The kind of the object.
    pub kind: ReferentKind,
    /// The number that Fineract assigned to the object.
    pub number: i64,
    /// The object's external id or name, with the case that Fineract showed.
    pub name: String,
}

/// The numbers in a command's body.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Numbers {
    client_id: Option<i64>,
    product_id: Option<i64>,
    payment_type_id: Option<i64>,
    office_id: Option<i64>,
    #[serde(default)]
    charges: Vec<ChargeNumber>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ChargeNumber {
    charge_id: i64,
}

impl Request {
    /// All numbers in the path and the body of the command, each with the kind of object that it refers to.
    pub fn numbers(&self) -> Vec<(ReferentKind, i64)> {
        let body = self.body.as_deref().unwrap_or_default();
        let body: Numbers = serde_json::from_str(body).unwrap_or_default();
        let one = |kind, number: Option<i64>| number.map(|number| (kind, number));
        let single = [
            one(ReferentKind::Client, self.client_id().or(body.client_id)),
            one(ReferentKind::Loan, self.loan_id()),
            one(ReferentKind::Product, body.product_id),
            one(ReferentKind::PaymentType, body.payment_type_id),
            one(ReferentKind::Office, body.office_id),
        ];
        let charges = body.charges.iter().map(|charge| charge.charge_id);
        let charges = charges.map(|number| (ReferentKind::Charge, number));
        single.into_iter().flatten().chain(charges).collect()
    }
}

impl Facts {
    /// The referents of a command. Objects that were not read are left out.
    pub fn referents(&self, request: &Request) -> Vec<Referent> {
        let numbers = request.numbers().into_iter();
        let referents = numbers.filter_map(|(kind, number)| {
            let name = self.name_of(kind, number)?.to_owned();
            Some(Referent { kind, number, name })
        });
        referents.collect()
    }

    fn name_of(&self, kind: ReferentKind, number: i64) -> Option<&str> {
        let client = self.client.as_ref().filter(|client| client.id == number);
        let loan = self.loan.as_ref();
        let product = self.product.as_ref();
        match kind {
            ReferentKind::Client => client?.external_id.as_deref(),
            ReferentKind::Loan => loan
                .filter(|loan| loan.id == number)?
                .external_id
                .as_deref(),
            ReferentKind::Product => {
                let planned = product.filter(|product| product.id == number);
                let planned = planned.map(|product| product.name.as_str());
                planned.or_else(|| {
                    let loan = loan.filter(|loan| loan.loan_product_id == number)?;
                    Some(loan.loan_product_name.as_str())
                })
            }
            ReferentKind::Charge => {
                let planned = product.into_iter().flat_map(|product| &product.charges);
                let planned = planned.map(|charge| (charge.id, &charge.name));
                let stored = loan.into_iter().flat_map(|loan| &loan.charges);
                let stored = stored.map(|charge| (charge.charge_id, &charge.name));
                let mut named = planned.chain(stored);
                Some(named.find(|(id, _)| *id == number)?.1)
            }
            ReferentKind::PaymentType => {
                let payment_type = self.payment_type.as_ref();
                Some(&payment_type.filter(|known| known.id == number)?.name)
            }
            ReferentKind::Office => {
                let office = self.office.as_ref();
                Some(&office.filter(|known| known.id == number)?.name)
            }
        }
    }
}
