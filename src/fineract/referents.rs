//! Reads the object to which a number refers now, without using the cache.

use serde::Deserialize;

use super::{
    Fineract,
    lookups::{OFFICES, PAYMENT_TYPES, ReadFailure, Subject},
};
use crate::domain::{Named, ReferentKind};

/// What Fineract shows under a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shown {
    /// An object with this external id or name; `None` if it has neither.
    Named(Option<String>),
    /// No object: Fineract's own 404, or a list without the number.
    Nothing,
}

/// The identifying fields of a client or a loan.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Identified {
    id: i64,
    external_id: Option<String>,
}

/// The name of a product, and its charges.
#[derive(Deserialize)]
struct NamedProduct {
    name: String,
    #[serde(default)]
    charges: Vec<Named>,
}

impl Fineract {
    /// Reads the object to which a number refers now. A charge is first searched in `product`, if that is given,
    /// because the list of all charges requires a permission of its own.
    pub async fn shown_under(
        &self,
        kind: ReferentKind,
        number: i64,
        product: Option<i64>,
    ) -> Result<Shown, ReadFailure> {
        let list = match kind {
            ReferentKind::Client => {
                return self.identified("clients", Subject::Client, number).await;
            }
            ReferentKind::Loan => return self.identified("loans", Subject::Loan, number).await,
            ReferentKind::Product => {
                let product = self.named_product(number).await?;
                return Ok(shown(product.map(|product| product.name)));
            }
            ReferentKind::Charge => {
                if let Some(name) = self.charge_of(product, number).await? {
                    return Ok(Shown::Named(Some(name)));
                }
                ("/charges", Subject::Charge)
            }
            ReferentKind::PaymentType => (PAYMENT_TYPES, Subject::PaymentType),
            ReferentKind::Office => (OFFICES, Subject::Office),
        };
        let (path, subject) = list;
        let listed = self
            .listed(path, subject, |listed| listed.id == number)
            .await?;
        Ok(shown(listed.map(|listed| listed.name)))
    }

    async fn identified(
        &self,
        folder: &str,
        subject: Subject,
        number: i64,
    ) -> Result<Shown, ReadFailure> {
        let path = format!("/{folder}/{number}");
        let parse = |body: &str| serde_json::from_str::<Identified>(body);
        let read = self.read(&path, subject, true, parse).await?;
        match read {
            None => Ok(Shown::Nothing),
            Some(read) if read.id == number => Ok(Shown::Named(read.external_id)),
            // The answer is about another number than the one requested, so it does not come from Fineract.
            Some(_) => Err(ReadFailure::Unreadable(subject)),
        }
    }

    async fn named_product(&self, number: i64) -> Result<Option<NamedProduct>, ReadFailure> {
        let path = format!("/loanproducts/{number}");
        let parse = |body: &str| serde_json::from_str(body);
        self.read(&path, Subject::Product, true, parse).await
    }

    async fn charge_of(
        &self,
        product: Option<i64>,
        number: i64,
    ) -> Result<Option<String>, ReadFailure> {
        let Some(product) = product else {
            return Ok(None);
        };
        let product = self.named_product(product).await?;
        let charges = product.into_iter().flat_map(|product| product.charges);
        let mut charges = charges.filter(|charge| charge.id == number);
        Ok(charges.next().map(|charge| charge.name))
    }
}

fn shown(name: Option<String>) -> Shown {
    name.map_or(Shown::Nothing, |name| Shown::Named(Some(name)))
}
