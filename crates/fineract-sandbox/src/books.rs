//! The business data: clients, loans, and the data that belongs to them. A command changes the data through a
//! [`Context`]. A command that is refused changes nothing, except that it may use up an id. No object then has this id.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::NaiveDate;

use super::clients::Client;
use super::failure::Failure;
use super::json::{Json, Object, object};
use super::loans::{Loan, Transaction};
use super::products::{Product, recorded};
use super::release::Release;
use super::users::User;

/// For each kind of object, the last id that was assigned. An insert that fails still uses up an id.
#[derive(Clone, Debug, Default)]
pub(super) struct Ids {
    pub(super) client: i64,
    pub(super) loan: i64,
    pub(super) transaction: i64,
    pub(super) tranche: i64,
    pub(super) loan_charge: i64,
    pub(super) payment_detail: i64,
    pub(super) note: i64,
}

/// Assigns the next id.
pub(super) fn next(last: &mut i64) -> i64 {
    *last += 1;
    *last
}

/// The tenant's data.
#[derive(Clone, Debug)]
pub(super) struct Books {
    pub(super) ids: Ids,
    pub(super) clients: BTreeMap<i64, Client>,
    pub(super) loans: BTreeMap<i64, Loan>,
    pub(super) products: BTreeMap<i64, Product>,
    pub(super) charges: BTreeMap<i64, Object>,
    pub(super) payment_types: BTreeMap<i64, Object>,
    pub(super) currencies: Vec<String>,
    pub(super) clients_by_external_id: HashMap<String, i64>,
    pub(super) clients_by_mobile: HashMap<String, i64>,
    pub(super) loans_by_external_id: HashMap<String, i64>,
    /// For each external id of a transaction, the number of the loan and the number of the transaction. An undone
    /// transaction keeps its external id.
    pub(super) transactions_by_external_id: HashMap<String, (i64, i64)>,
    pub(super) loans_by_client: HashMap<i64, Vec<i64>>,
    /// For each client and product, the number of disbursements. The key contains the number of the client, then the
    /// number of the product.
    pub(super) cycles: HashMap<(i64, i64), i64>,
    /// The numbers of the loans that the nightly job has locked.
    pub(super) locked_loans: HashSet<i64>,
}

/// How a path names an object: by its number or by its external id.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Named {
    Number(i64),
    External(String),
}

/// Everything that a command needs besides its input: the books, the release, the business date and the user.
#[derive(Debug)]
pub(super) struct Context<'a> {
    pub(super) books: &'a mut Books,
    pub(super) release: Release,
    pub(super) today: NaiveDate,
    pub(super) user: &'a User,
}

impl Books {
    /// The data of a new tenant: no products, and the US dollar as the only currency.
    pub(super) fn fresh() -> Self {
        let payment_types = [
            ("Money Transfer", None),
            (
                "Repayment Adjustment Chargeback",
                Some("REPAYMENT_ADJUSTMENT_CHARGEBACK"),
            ),
            (
                "Repayment Adjustment Refund",
                Some("REPAYMENT_ADJUSTMENT_REFUND"),
            ),
        ];
        let payment_types = (1_i64..).zip(payment_types).map(|(id, (name, code))| {
            let json = object! {
                "id": id, "name": name, "description": name, "isCashPayment": false, "position": 1_i64,
                "codeName": code, "isSystemDefined": code.is_some(),
            };
            (id, json)
        });
        Self {
            ids: Ids::default(),
            clients: BTreeMap::new(),
            loans: BTreeMap::new(),
            products: BTreeMap::new(),
            charges: BTreeMap::new(),
            payment_types: payment_types.collect(),
            currencies: vec!["USD".to_owned()],
            clients_by_external_id: HashMap::new(),
            clients_by_mobile: HashMap::new(),
            loans_by_external_id: HashMap::new(),
            transactions_by_external_id: HashMap::new(),
            loans_by_client: HashMap::new(),
            cycles: HashMap::new(),
            locked_loans: HashSet::new(),
        }
    }

    /// The data of a tenant that is set up: the products of the nine lenders, one closed product, the payment type, the
    /// charge and the currency INR.
    pub(super) fn with_products() -> Self {
        let mut books = Self::fresh();
        let (products, charges, payment_types) = recorded();
        books.products = products
            .into_iter()
            .map(|product| (product.id, product))
            .collect();
        let by_id = |json: Object| Some((json.get("id")?.as_integer()?, json));
        books.charges = charges.into_iter().filter_map(by_id).collect();
        books
            .payment_types
            .extend(payment_types.into_iter().filter_map(by_id));
        books.currencies = vec!["INR".to_owned(), "USD".to_owned()];
        books
    }

    /// The number of the client. If the path contains a number, this function returns it without checking that the
    /// client exists.
    pub(super) fn client_id(&self, name: &Named) -> Result<i64, Failure> {
        match name {
            Named::Number(id) => Ok(*id),
            Named::External(external_id) => {
                let id = self.clients_by_external_id.get(external_id).copied();
                id.ok_or_else(|| {
                    Failure::not_found("error.msg.client.id.invalid", vec![Json::Null])
                })
            }
        }
    }

    pub(super) fn client(&self, id: i64) -> Result<&Client, Failure> {
        let client = self.clients.get(&id);
        client.ok_or_else(|| Failure::not_found("error.msg.client.id.invalid", vec![id.into()]))
    }

    /// The number of the loan. If the path contains a number, this function returns it without checking that the loan
    /// exists.
    pub(super) fn loan_id(&self, name: &Named) -> Result<i64, Failure> {
        match name {
            Named::Number(id) => Ok(*id),
            Named::External(external_id) => {
                let id = self.loans_by_external_id.get(external_id).copied();
                id.ok_or_else(|| {
                    Failure::not_found(
                        "error.msg.loan.external.id.invalid",
                        vec![external_id.as_str().into()],
                    )
                })
            }
        }
    }

    pub(super) fn loan(&self, id: i64) -> Result<&Loan, Failure> {
        self.loans.get(&id).ok_or_else(|| no_such_loan(id))
    }

    pub(super) fn loan_mut(&mut self, id: i64) -> Result<&mut Loan, Failure> {
        self.loans.get_mut(&id).ok_or_else(|| no_such_loan(id))
    }

    pub(super) fn product(&self, id: i64) -> Result<&Product, Failure> {
        let product = self.products.get(&id);
        product
            .ok_or_else(|| Failure::not_found("error.msg.loanproduct.id.invalid", vec![id.into()]))
    }

    /// Gives the loan with this external id a new number. A copy of the loan keeps the old number and gets another
    /// external id. Returns `false` if there is no such loan.
    pub(super) fn renumber(&mut self, external_id: &str) -> bool {
        let Some(number) = self.loans_by_external_id.get(external_id).copied() else {
            return false;
        };
        let Some(mut loan) = self.loans.get(&number).cloned() else {
            return false;
        };
        loan.id = next(&mut self.ids.loan);
        let others = format!("{external_id}-others");
        if let Some(other) = self.loans.get_mut(&number) {
            other.terms.external_id = Some(others.clone());
        }
        self.loans_by_external_id.insert(others, number);
        self.loans_by_external_id
            .insert(external_id.to_owned(), loan.id);
        let of_client = self.loans_by_client.entry(loan.client_id).or_default();
        of_client.push(loan.id);
        self.loans.insert(loan.id, loan);
        true
    }

    /// Finds a transaction of the loan by its number or its external id (`docs/fineract/payments.md`, "Reading one
    /// transaction").
    pub(super) fn transaction(&self, loan: &Loan, name: &Named) -> Result<&Transaction, Failure> {
        let id = match name {
            Named::Number(id) => *id,
            Named::External(external_id) => {
                let taken = self.transactions_by_external_id.get(external_id);
                let (_, id) = taken.ok_or_else(|| {
                    let args = vec![external_id.as_str().into()];
                    Failure::not_found("error.msg.loan.transaction.external.id.invalid", args)
                })?;
                *id
            }
        };
        let found = self
            .loans
            .get(&loan.id)
            .and_then(|loan| loan.transaction(id));
        found.ok_or_else(|| {
            Failure::not_found("error.msg.loan.transaction.id.invalid", vec![id.into()])
        })
    }
}

fn no_such_loan(id: i64) -> Failure {
    Failure::not_found("error.msg.loan.id.invalid", vec![id.into()])
}
