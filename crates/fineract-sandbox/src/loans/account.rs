use chrono::NaiveDate;

use super::{ACTIVE, Loan, enums, read, summary};
use crate::books::Books;
use crate::json::{Object, object};

/// The loan as an entry in the list of its client's accounts (`docs/fineract/clients.md`, "Accounts of a client").
pub(crate) fn account(books: &Books, loan: &Loan, today: NaiveDate) -> Object {
    let Ok(product) = books.product(loan.terms.product_id) else {
        return Object::default();
    };
    let position = summary::position(loan, product, today);
    let lent = loan.status >= ACTIVE;
    let paid = position.all_paid();
    object! {
        "id": loan.id,
        "accountNo": loan.account_no(),
        "externalId": loan.external_id(),
        "productId": product.id,
        "productName": product.text("name"),
        "shortProductName": product.text("shortName"),
        "status": enums::status(loan.status),
        "currency": product.get("currency").cloned(),
        "loanType": enums::individual(),
        "loanCycle": (loan.was_disbursed() && loan.cycle > 0).then_some(loan.cycle),
        "timeline": read::timeline(loan),
        "inArrears": position.overdue_since.is_some(),
        "originalLoan": lent.then_some(loan.principal),
        "loanBalance": lent.then(|| position.outstanding()),
        "amountPaid": (lent && !paid.is_zero()).then_some(paid),
    }
}
