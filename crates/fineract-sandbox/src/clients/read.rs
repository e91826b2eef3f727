use super::{ACTIVE, Client};
use crate::books::Books;
use crate::failure::Failure;
use crate::json::{Json, Object, object};
use crate::loans;

/// A client, as `GET /clients/{id}` returns it.
pub(crate) fn read(books: &Books, id: i64) -> Result<Object, Failure> {
    let client = books.clients.get(&id).ok_or_else(|| {
        Failure::not_found(
            "error.msg.client.not.found.with.client.id",
            vec![id.to_string().into()],
        )
    })?;
    Ok(described(client, false)
        .with("timeline", timeline(client, false))
        .with("savingsProductName", client.id.to_string())
        .with("legalForm", legal_form(client))
        .with("clientCollateralManagements", Vec::<Json>::new())
        .with("groups", Vec::<Json>::new()))
}

/// The clients whose external id matches the pattern, as `GET /clients` returns them.
pub(crate) fn search(books: &Books, pattern: Option<&str>) -> Result<Object, Failure> {
    if pattern.is_some_and(|pattern| pattern.contains('\'')) {
        return Err(Failure::rule("error.msg.sql.validation", Vec::new()));
    }
    let unset = || object! {"active": false, "mandatory": false};
    let found: Vec<Object> = books
        .clients
        .values()
        .filter(|client| {
            pattern.is_none_or(|pattern| {
                client
                    .external_id
                    .as_deref()
                    .is_some_and(|id| like(id, pattern))
            })
        })
        .map(|client| {
            described(client, true)
                .with("timeline", timeline(client, true))
                .with("legalForm", legal_form(client))
                .with(
                    "clientNonPersonDetails",
                    object! {"constitution": unset(), "mainBusinessLine": unset()},
                )
        })
        .collect();
    let count = i64::try_from(found.len()).unwrap_or(i64::MAX);
    Ok(object! {"totalFilteredRecords": count, "pageItems": found})
}

/// A client's loans, as `GET /clients/{id}/accounts` returns them.
pub(crate) fn accounts(books: &Books, id: i64, today: chrono::NaiveDate) -> Object {
    let ids = books
        .loans_by_client
        .get(&id)
        .map(Vec::as_slice)
        .unwrap_or_default();
    let accounts: Vec<Object> = ids
        .iter()
        .filter_map(|id| books.loans.get(id))
        .map(|loan| loans::account(books, loan, today))
        .collect();
    object! {
        "loanAccounts": (!accounts.is_empty()).then_some(accounts),
        "groupLoanIndividualMonitoringAccounts": Vec::<Json>::new(),
        "guarantorAccounts": Vec::<Json>::new(),
    }
}

/// The fields that a read of a client returns before `timeline`. In a page of clients (`in_page`), enumerations without
/// a value are present as well.
fn described(client: &Client, in_page: bool) -> Object {
    let unset = || in_page.then(|| object! {"active": false, "mandatory": false});
    let names = &client.names;
    object! {
        "id": client.id,
        "accountNo": client.account_no(),
        "externalId": client.external_id.as_deref(),
        "status": status(client.status),
        "subStatus": unset(),
        "active": client.status == ACTIVE,
        "activationDate": client.activation.as_ref().map(|(date, _)| *date),
        "firstname": names.first.as_deref(),
        "middlename": names.middle.as_deref(),
        "lastname": names.last.as_deref(),
        "fullname": names.full.as_deref(),
        "displayName": names.display(),
        "mobileNo": client.mobile_no.as_deref(),
        "emailAddress": client.email_address.as_deref(),
        "dateOfBirth": client.date_of_birth,
        "gender": unset(),
        "clientType": unset(),
        "clientClassification": unset(),
        "isStaff": false,
        "officeId": 1_i64,
        "officeName": "Head Office",
    }
}

fn timeline(client: &Client, in_page: bool) -> Object {
    let mut timeline = object! {"submittedOnDate": client.submitted_on};
    if in_page {
        client.submitted_by.sign(&mut timeline, "submitted");
    }
    for (action, stamp) in [
        ("activated", &client.activation),
        ("closed", &client.closure),
    ] {
        if let Some((date, who)) = stamp {
            timeline.set(&format!("{action}OnDate"), *date);
            who.sign(&mut timeline, action);
        }
    }
    timeline
}

fn legal_form(client: &Client) -> Object {
    match client.legal_form {
        2 => object! {"id": 2_i64, "code": "legalFormType.entity", "value": "Entity"},
        _ => object! {"id": 1_i64, "code": "legalFormType.person", "value": "Person"},
    }
}

fn status(id: i64) -> Object {
    let (code, value) = match id {
        100 => ("clientStatusType.pending", "Pending"),
        300 => ("clientStatusType.active", "Active"),
        _ => ("clientStatusType.closed", "Closed"),
    };
    object! {"id": id, "code": code, "value": value}
}

/// SQL's LIKE: `_` matches exactly one character, `%` any number of characters.
fn like(text: &str, pattern: &str) -> bool {
    let mut rest = pattern.chars();
    match rest.next() {
        None => text.is_empty(),
        Some('%') => {
            let mut tails = text.char_indices().map(|(at, _)| at).chain([text.len()]);
            tails.any(|at| text.get(at..).is_some_and(|tail| like(tail, rest.as_str())))
        }
        Some(letter) => {
            let mut tail = text.chars();
            tail.next()
                .is_some_and(|first| letter == '_' || letter == first)
                && like(tail.as_str(), rest.as_str())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::like;

    #[test]
    fn search_is_by_like() {
        for (text, pattern, expected) in [
            ("C-1", "C-1", true),
            ("C-1", "c-1", false),
            ("a_b", "a_b", true),
            ("axb", "a_b", true),
            ("abc", "a%", true),
            ("abc", "%d", false),
        ] {
            assert_eq!(like(text, pattern), expected, "{text} like {pattern}");
        }
    }
}
