use super::create::{check_constraints, check_dates, check_lengths};
use super::{ACTIVE, CLOSED, Client, Names, PENDING};
use crate::books::{Books, Context};
use crate::failure::{Failure, Item};
use crate::json::{Json, Object};
use crate::operations::{Input, Outcome};
use crate::params::{Checks, Params};

const SUPPORTED: &[&str] = &[
    "locale",
    "dateFormat",
    "accountNo",
    "externalId",
    "mobileNo",
    "emailAddress",
    "firstname",
    "middlename",
    "lastname",
    "fullname",
    "displayname",
    "active",
    "activationDate",
    "staffId",
    "savingsProductId",
    "dateOfBirth",
    "genderId",
    "clientTypeId",
    "clientClassificationId",
    "submittedOnDate",
    "clientNonPersonDetails",
    "legalFormId",
    "isStaff",
];

/// The keys that do not count as a change: a body that contains no other key is refused (`docs/fineract/clients.md`,
/// "Changing a client").
const NOT_COUNTING: &[&str] = &[
    "locale",
    "dateFormat",
    "emailAddress",
    "activationDate",
    "isStaff",
    "active",
    "displayname",
];

/// Changes those attributes of a client that the request contains.
pub(crate) fn update(context: &mut Context<'_>, input: &Input) -> Result<Outcome, Failure> {
    let params = &input.params;
    params.only(SUPPORTED)?;
    let activated_on = params.date("activationDate")?;
    let submitted_on = params.date("submittedOnDate")?;
    let born_on = params.date("dateOfBirth")?;
    check_fields(params)?;
    let mut client = context.books.client(input.id)?.clone();
    let mut changes = Object::default();
    let texts = [
        ("accountNo", &mut client.account_no),
        ("externalId", &mut client.external_id),
        ("mobileNo", &mut client.mobile_no),
        ("emailAddress", &mut client.email_address),
        ("firstname", &mut client.names.first),
        ("middlename", &mut client.names.middle),
        ("lastname", &mut client.names.last),
        ("fullname", &mut client.names.full),
    ];
    for (name, stored) in texts {
        let sent = params.text(name);
        if params.has(name) && sent != *stored {
            changes.set(name, sent.clone().unwrap_or_default());
            *stored = sent;
        }
    }
    let mut dates = Object::default();
    if let (Some(date), Some((stored, _))) = (
        activated_on,
        client
            .activation
            .as_mut()
            .filter(|(on, _)| Some(*on) != activated_on),
    ) {
        *stored = date;
        dates.set("activationDate", params.text("activationDate"));
    }
    if born_on.is_some() && born_on != client.date_of_birth {
        client.date_of_birth = born_on;
        dates.set("dateOfBirth", params.text("dateOfBirth"));
    }
    if let Some(date) = submitted_on.filter(|date| *date != client.submitted_on) {
        client.submitted_on = date;
        dates.set("submittedOnDate", params.text("submittedOnDate"));
    }
    for (name, date) in dates.iter() {
        changes.set(name, date.clone());
        changes.set("dateFormat", params.text("dateFormat"));
        changes.set("locale", params.text("locale"));
    }
    let activated_on = client.activation.as_ref().map(|(on, _)| *on);
    check_dates(client.submitted_on, activated_on, context.today)?;
    check_constraints(context.books, &client)?;
    let outcome = Outcome {
        changes: Some(changes),
        ..client.outcome()
    };
    replace(context.books, client);
    Ok(outcome)
}

fn check_fields(params: &Params) -> Result<(), Failure> {
    let mut checks = Checks::of("client");
    checks.longest("accountNo", params.text("accountNo").as_deref(), 20);
    checks.longest("externalId", params.text("externalId").as_deref(), 100);
    checks.longest("mobileNo", params.text("mobileNo").as_deref(), 50);
    let names = Names {
        first: params.text("firstname"),
        middle: params.text("middlename"),
        last: params.text("lastname"),
        full: params.text("fullname"),
    };
    if ["firstname", "middlename", "lastname"]
        .iter()
        .any(|name| params.has(name))
    {
        checks.required("firstname", names.first.as_deref());
        checks.required("lastname", names.last.as_deref());
    }
    check_lengths(&names, &mut checks);
    if params.0.iter().all(|(key, _)| NOT_COUNTING.contains(&key)) {
        checks.push(Item::new(
            "validation.msg.client.no.parameters.for.update",
            "id",
            Vec::new(),
        ));
    }
    checks.finish()
}

fn replace(books: &mut Books, client: Client) {
    if let Some(old) = books.clients.get(&client.id) {
        if let Some(external_id) = &old.external_id {
            books.clients_by_external_id.remove(external_id);
        }
        if let Some(mobile_no) = &old.mobile_no {
            books.clients_by_mobile.remove(mobile_no);
        }
    }
    books.clients_by_external_id.extend(
        client
            .external_id
            .clone()
            .map(|external_id| (external_id, client.id)),
    );
    books.clients_by_mobile.extend(
        client
            .mobile_no
            .clone()
            .map(|mobile_no| (mobile_no, client.id)),
    );
    books.clients.insert(client.id, client);
}

/// Activates a pending client.
pub(crate) fn activate(context: &mut Context<'_>, input: &Input) -> Result<Outcome, Failure> {
    let params = &input.params;
    params.only(&["activationDate", "locale", "dateFormat"])?;
    let mut checks = Checks::of("client");
    let date = params.date("activationDate")?;
    checks.required("activationDate", date);
    checks.finish()?;
    let mut client = context.books.client(input.id)?.clone();
    let date = date.unwrap_or(context.today);
    if client.status == ACTIVE {
        let args = vec![params.text("activationDate").into()];
        return Err(Failure::invalid(
            "error.msg.clients.already.active",
            "activationDate",
            args,
        ));
    }
    check_dates(client.submitted_on, Some(date), context.today)?;
    client.status = ACTIVE;
    client.activation = Some((date, context.user.who.clone()));
    let outcome = client.outcome();
    replace(context.books, client);
    Ok(outcome)
}

/// Refuses to close a client. Closing requires a closure reason. Like a new Fineract, the sandbox has no closure
/// reasons.
pub(crate) fn close(context: &mut Context<'_>, input: &Input) -> Result<Outcome, Failure> {
    let params = &input.params;
    params.only(&["closureDate", "closureReasonId", "locale", "dateFormat"])?;
    let mut checks = Checks::of("client");
    let (date, reason) = (params.date("closureDate")?, params.id("closureReasonId")?);
    checks.required("closureDate", date);
    checks.required("closureReasonId", reason);
    checks.finish()?;
    let client = context.books.client(input.id)?;
    let args = vec![reason.into(), Json::from("ClientClosureReason")];
    if client.status == CLOSED {
        return Err(Failure::rule(
            "error.msg.client.close.is.already.closed",
            Vec::new(),
        ));
    }
    Err(Failure::not_found(
        "error.msg.codevalue.codename.id.combination.invalid",
        args,
    ))
}

/// Deletes a pending client.
pub(crate) fn delete(context: &mut Context<'_>, input: &Input) -> Result<Outcome, Failure> {
    let client = context.books.client(input.id)?.clone();
    if client.status != PENDING {
        return Err(Failure::rule(
            "error.msg.clients.cannot.be.deleted",
            vec![client.id.into()],
        ));
    }
    let books = &mut *context.books;
    client
        .external_id
        .as_ref()
        .map(|external_id| books.clients_by_external_id.remove(external_id));
    client
        .mobile_no
        .as_ref()
        .map(|mobile_no| books.clients_by_mobile.remove(mobile_no));
    books.clients.remove(&client.id);
    Ok(client.outcome())
}
