//! The routes of Fineract that the sandbox supports.

use super::books::Named;
use super::call::Call;
use super::failure::Failure;
use super::json::{Json, Object, object};
use super::operations::{self as to, Input, Operation};
use super::params::Params;
use super::products::Product;
use super::reply::Reply;
use super::state::{State, Write};
use super::users::User;
use super::{clients, loans};

/// The resource that a path names.
#[derive(Debug)]
pub(super) enum Resource {
    Login,
    Offices,
    Currencies,
    Charges,
    PaymentTypes,
    Products,
    Product(i64),
    Clients,
    Client(Named),
    ClientAccounts(Named),
    Loans,
    Loan(Named),
    Transactions(Named),
    TransactionTemplate(Named),
    Transaction(Named, Named),
    MakerCheckers,
    MakerChecker(i64),
    Audit(i64),
}

impl Resource {
    /// The resource of the path. `None` if there is no such resource, or if Fineract requires a number where the path
    /// contains another text.
    pub(super) fn of(segments: &[String]) -> Option<Self> {
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        let number = |text: &str| text.parse::<i64>().ok();
        let by_number = |text: &str| number(text).map(Named::Number);
        let by_external_id = |text: &str| Named::External(text.to_owned());
        Some(match *segments.as_slice() {
            ["authentication"] => Self::Login,
            ["offices"] => Self::Offices,
            ["currencies"] => Self::Currencies,
            ["charges"] => Self::Charges,
            ["paymenttypes"] => Self::PaymentTypes,
            ["loanproducts"] => Self::Products,
            ["loanproducts", id] => Self::Product(number(id)?),
            ["clients"] => Self::Clients,
            ["clients", "external-id", x] => Self::Client(by_external_id(x)),
            ["clients", "external-id", x, "accounts"] => Self::ClientAccounts(by_external_id(x)),
            ["clients", id] => Self::Client(by_number(id)?),
            ["clients", id, "accounts"] => Self::ClientAccounts(by_number(id)?),
            ["loans"] => Self::Loans,
            ["loans", "external-id", x] => Self::Loan(by_external_id(x)),
            ["loans", "external-id", x, "transactions", ref rest @ ..] => {
                Self::of_transactions(by_external_id(x), rest)?
            }
            ["loans", id] => Self::Loan(by_number(id)?),
            ["loans", id, "transactions", ref rest @ ..] => {
                Self::of_transactions(by_number(id)?, rest)?
            }
            ["makercheckers"] => Self::MakerCheckers,
            ["makercheckers", id] => Self::MakerChecker(number(id)?),
            ["audits", id] => Self::Audit(number(id)?),
            _ => return None,
        })
    }

    fn of_transactions(loan: Named, rest: &[&str]) -> Option<Self> {
        Some(match *rest {
            [] => Self::Transactions(loan),
            ["template"] => Self::TransactionTemplate(loan),
            ["external-id", x] => Self::Transaction(loan, Named::External(x.to_owned())),
            [id] => Self::Transaction(loan, Named::Number(id.parse().ok()?)),
            _ => return None,
        })
    }
}

/// Answers a read. `None` if the resource does not support GET.
pub(super) fn read(state: &State, call: &Call, resource: &Resource, user: &User) -> Option<Reply> {
    let (books, today) = (&state.books, state.today());
    let all = |things: &mut dyn Iterator<Item = &Object>| {
        Ok(Json::from(things.cloned().collect::<Vec<_>>()))
    };
    let associations: Vec<&str> = call
        .query("associations")
        .unwrap_or_default()
        .split(',')
        .collect();
    let asked = Params(
        call.query_pairs()
            .fold(Object::default(), |all, (name, value)| {
                all.with(name, value)
            }),
    );
    let (permission, read): (&str, &dyn Fn() -> Result<Json, Failure>) = match resource {
        Resource::Offices => ("READ_OFFICE", &|| Ok(vec![office()].into())),
        Resource::Currencies => ("READ_CURRENCY", &|| {
            Ok(object! {"selectedCurrencyOptions": currencies(state)}.into())
        }),
        Resource::Charges => ("READ_CHARGE", &|| all(&mut books.charges.values())),
        Resource::PaymentTypes => ("READ_PAYMENTTYPE", &|| {
            all(&mut books.payment_types.values())
        }),
        Resource::Products => ("READ_LOANPRODUCT", &|| {
            let listed = books.products.values().map(Product::listed);
            Ok(listed.collect::<Vec<_>>().into())
        }),
        Resource::Product(id) => ("READ_LOANPRODUCT", &|| {
            Ok(books.product(*id)?.json.clone().into())
        }),
        Resource::Clients => ("READ_CLIENT", &|| {
            Ok(clients::search(books, call.query("externalId"))?.into())
        }),
        Resource::Client(name) => ("READ_CLIENT", &|| {
            Ok(clients::read(books, books.client_id(name)?)?.into())
        }),
        Resource::ClientAccounts(name) => ("READ_CLIENT", &|| {
            Ok(clients::accounts(books, books.client_id(name)?, today).into())
        }),
        Resource::Loans => ("READ_LOAN", &|| {
            Ok(loans::search(books, call.query("externalId"), today)?.into())
        }),
        Resource::Loan(name) => ("READ_LOAN", &|| {
            Ok(loans::read(books, books.loan_id(name)?, &associations, today)?.into())
        }),
        Resource::Transaction(loan, name) => ("READ_LOAN", &|| {
            Ok(loans::read_transaction(books, books.loan_id(loan)?, name)?.into())
        }),
        Resource::TransactionTemplate(loan) => ("READ_LOAN", &|| {
            Ok(loans::template(books, books.loan_id(loan)?, &asked, today)?.into())
        }),
        Resource::Audit(id) => ("READ_AUDIT", &|| Ok(state.audit(*id)?.into())),
        Resource::MakerCheckers => {
            let (action, entity) = (call.query("actionName"), call.query("entityName"));
            let listed = state.pending(user, action, entity);
            return Some(Reply::ok(Json::from(listed).compact()));
        }
        Resource::Login | Resource::Transactions(_) | Resource::MakerChecker(_) => return None,
    };
    let answer = if user.may(permission) {
        read()
    } else {
        Err(Failure::NotAuthorized)
    };
    Some(match answer {
        Ok(json) => Reply::ok(json.compact()),
        Err(failure) => failure.reply(&call.path),
    })
}

/// The command that a write asks for. `None` if the resource does not support the method.
pub(super) fn write(
    state: &State,
    call: &Call,
    resource: &Resource,
    user: &User,
) -> Option<Result<Write, Failure>> {
    let books = &state.books;
    let known = |operation: &'static Operation| Ok((operation, 0, 0));
    let of_client = |name: &Named, find: &dyn Fn() -> Result<&'static Operation, Failure>| {
        books.client_id(name).and_then(|id| Ok((find()?, id, 0)))
    };
    let of_loan = |name: &Named, find: &dyn Fn() -> Result<&'static Operation, Failure>| {
        books.loan_id(name).and_then(|id| Ok((find()?, id, 0)))
    };
    let named = call.query("command").unwrap_or_default();
    let found = match (call.method.as_str(), resource) {
        ("PUT", Resource::Currencies) => known(&to::UPDATE_CURRENCIES),
        ("POST", Resource::Charges) => known(&to::CREATE_CHARGE),
        ("POST", Resource::PaymentTypes) => known(&to::CREATE_PAYMENT_TYPE),
        ("POST", Resource::Products) => known(&to::CREATE_PRODUCT),
        ("POST", Resource::Clients) => known(&to::CREATE_CLIENT),
        ("PUT", Resource::Client(name)) => of_client(name, &|| Ok(&to::UPDATE_CLIENT)),
        ("DELETE", Resource::Client(name)) => of_client(name, &|| Ok(&to::DELETE_CLIENT)),
        ("POST", Resource::Client(name)) => of_client(name, &|| client_command(named)),
        ("POST", Resource::Loans) => known(&to::CREATE_LOAN),
        ("PUT", Resource::Loan(name)) => of_loan(name, &|| Ok(&to::UPDATE_LOAN)),
        ("DELETE", Resource::Loan(name)) => of_loan(name, &|| Ok(&to::DELETE_LOAN)),
        ("POST", Resource::Loan(name)) => of_loan(name, &|| loan_command(named)),
        ("POST", Resource::Transactions(name)) => of_loan(name, &|| transaction_command(named)),
        ("POST", Resource::Transaction(loan, name)) => books.loan_id(loan).and_then(|id| {
            let transaction_id = books.transaction(books.loan(id)?, name)?.id;
            Ok((&to::ADJUST, id, transaction_id))
        }),
        _ => return None,
    };
    Some(found.and_then(|(operation, id, transaction_id)| {
        if !user.may(&operation.permission()) {
            return Err(Failure::NotAuthorized);
        }
        let input = Input {
            id,
            transaction_id,
            params: call.params(operation.action)?,
        };
        let key = state.keys.key(call, operation);
        let key = key.unwrap_or_else(|| uuid::Uuid::new_v4().to_string());
        Ok(Write {
            operation,
            input,
            sent_key: state.keys.sent(call).unwrap_or(&key).to_owned(),
            key,
            username: user.who.username.clone(),
            is_json: call.is_json(),
            path: call.path.clone(),
        })
    }))
}

fn client_command(name: &str) -> Result<&'static Operation, Failure> {
    match name.to_ascii_lowercase().as_str() {
        "activate" => Ok(&to::ACTIVATE_CLIENT),
        "close" => Ok(&to::CLOSE_CLIENT),
        _ => Err(unknown_command(name)),
    }
}

fn loan_command(name: &str) -> Result<&'static Operation, Failure> {
    match name.to_ascii_lowercase().as_str() {
        "approve" => Ok(&to::APPROVE),
        "undoapproval" => Ok(&to::UNDO_APPROVAL),
        "disburse" => Ok(&to::DISBURSE),
        "undodisbursal" => Ok(&to::UNDO_DISBURSAL),
        "undolastdisbursal" => Ok(&to::UNDO_LAST_DISBURSAL),
        "reject" => Ok(&to::REJECT),
        "withdrawnbyapplicant" => Ok(&to::WITHDRAW),
        _ => Err(unknown_command(name)),
    }
}

fn transaction_command(name: &str) -> Result<&'static Operation, Failure> {
    match name.to_ascii_lowercase().as_str() {
        "repayment" => Ok(&to::REPAY),
        "writeoff" => Ok(&to::WRITE_OFF),
        "close" => Ok(&to::CLOSE_LOAN),
        "foreclosure" => Ok(&to::FORECLOSE),
        _ => Err(unknown_command(name)),
    }
}

fn unknown_command(name: &str) -> Failure {
    let args = vec!["command".into(), name.into(), Vec::<Json>::new().into()];
    Failure::invalid(
        "error.msg.query.parameter.value.unsupported",
        "command",
        args,
    )
}

fn office() -> Object {
    let opened = chrono::NaiveDate::from_ymd_opt(2009, 1, 1);
    object! {
        "id": 1_i64, "name": "Head Office", "nameDecorated": "Head Office", "externalId": "1", "openingDate": opened,
        "hierarchy": ".",
    }
}

fn currencies(state: &State) -> Vec<Object> {
    state
        .books
        .currencies
        .iter()
        .map(|code| object! {"code": code.as_str()})
        .collect()
}
