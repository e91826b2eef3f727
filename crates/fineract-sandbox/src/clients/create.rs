use chrono::NaiveDate;

use super::{ACTIVE, Client, Names, PENDING};
use crate::books::{Books, Context, next};
use crate::failure::{Failure, Item};
use crate::json::Json;
use crate::operations::{Input, Outcome};
use crate::params::{Checks, Params};

const SUPPORTED: &[&str] = &[
    "locale",
    "dateFormat",
    "officeId",
    "firstname",
    "middlename",
    "lastname",
    "fullname",
    "displayname",
    "externalId",
    "accountNo",
    "mobileNo",
    "emailAddress",
    "active",
    "activationDate",
    "submittedOnDate",
    "legalFormId",
    "staffId",
    "groupId",
    "savingsProductId",
    "dateOfBirth",
    "genderId",
    "clientTypeId",
    "clientClassificationId",
    "clientNonPersonDetails",
    "isStaff",
    "familyMembers",
    "address",
    "datatables",
];

/// Creates a client.
pub(crate) fn create(context: &mut Context<'_>, input: &Input) -> Result<Outcome, Failure> {
    let params = &input.params;
    params.only(SUPPORTED)?;
    let fields = Fields::read(params)?;
    if fields.office_id != 1 {
        return Err(Failure::not_found(
            "error.msg.office.id.invalid",
            vec![fields.office_id.into()],
        ));
    }
    if fields.active && !context.user.may("ACTIVATE_CLIENT") {
        return Err(Failure::NotAuthorized);
    }
    // If the client is created as active, and its submission date is later than its activation date, Fineract stores
    // the activation date as the submission date.
    let submitted_on = fields.submitted_on.unwrap_or(context.today);
    let submitted_on = fields
        .activated_on
        .map_or(submitted_on, |activated_on| submitted_on.min(activated_on));
    check_dates(submitted_on, fields.activated_on, context.today)?;
    let client = Client {
        id: next(&mut context.books.ids.client),
        external_id: params.text("externalId"),
        account_no: params.text("accountNo"),
        names: fields.names,
        mobile_no: trimmed(params, "mobileNo"),
        email_address: trimmed(params, "emailAddress"),
        date_of_birth: fields.born_on,
        legal_form: fields.legal_form,
        status: if fields.active { ACTIVE } else { PENDING },
        submitted_on,
        submitted_by: context.user.who.clone(),
        activation: fields
            .activated_on
            .map(|date| (date, context.user.who.clone())),
        closure: None,
    };
    check_constraints(context.books, &client)?;
    let outcome = client.outcome();
    let books = &mut *context.books;
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
    Ok(outcome)
}

struct Fields {
    office_id: i64,
    names: Names,
    active: bool,
    activated_on: Option<NaiveDate>,
    submitted_on: Option<NaiveDate>,
    born_on: Option<NaiveDate>,
    legal_form: i64,
}

impl Fields {
    fn read(params: &Params) -> Result<Self, Failure> {
        let mut checks = Checks::of("client");
        let office_id = params.id("officeId")?;
        checks.required("officeId", office_id);
        checks.longest("accountNo", params.text("accountNo").as_deref(), 20);
        checks.longest("externalId", params.text("externalId").as_deref(), 100);
        checks.longest("mobileNo", params.text("mobileNo").as_deref(), 50);
        let names = names(params, &mut checks);
        let active = params.is_true("active");
        let activated_on = if active {
            let date = params.date("activationDate")?;
            checks.required("activationDate", date)
        } else {
            None
        };
        let submitted_on = params.date("submittedOnDate")?;
        let born_on = params.date("dateOfBirth")?;
        let legal_form = params.integer("legalFormId")?;
        checks.required("legalFormId", legal_form);
        checks.within("legalFormId", legal_form, (1, 2));
        checks.finish()?;
        let (office_id, legal_form) = (office_id.unwrap_or(0), legal_form.unwrap_or(1));
        Ok(Self {
            office_id,
            names,
            active,
            activated_on,
            submitted_on,
            born_on,
            legal_form,
        })
    }
}

/// A text without leading and trailing blanks, as Fineract stores it for a new client.
fn trimmed(params: &Params, name: &str) -> Option<String> {
    params.text(name).map(|text| text.trim().to_owned())
}

/// Reads the first and last name, or the full name. Adds an error to the checks if a name is missing, or if the full
/// name is sent together with a first or last name.
fn names(params: &Params, checks: &mut Checks) -> Names {
    let names = Names {
        first: trimmed(params, "firstname"),
        middle: trimmed(params, "middlename"),
        last: trimmed(params, "lastname"),
        full: trimmed(params, "fullname"),
    };
    let parts_sent = ["firstname", "middlename", "lastname"]
        .iter()
        .any(|name| params.has(name));
    if !parts_sent && names.full.is_none() {
        let args = vec![Json::Null, Vec::<Json>::new().into()];
        checks.push(Item::new(
            "validation.msg.client.id..no.name.details.passed",
            "id",
            args,
        ));
    } else if names.full.is_none() {
        checks.required("firstname", names.first.as_deref());
        checks.required("lastname", names.last.as_deref());
    } else if parts_sent {
        let fullname = names.full.as_deref();
        for (name, value) in [("firstname", &names.first), ("lastname", &names.last)] {
            if let Some(value) = value {
                let what = "cannot.also.be.provided.when.fullname.is.populated";
                checks.fail(
                    name,
                    what,
                    vec![value.as_str().into(), "fullname".into(), fullname.into()],
                );
            }
        }
    }
    check_lengths(&names, checks);
    names
}

pub(super) fn check_lengths(names: &Names, checks: &mut Checks) {
    checks.longest("firstname", names.first.as_deref(), 50);
    checks.longest("middlename", names.middle.as_deref(), 50);
    checks.longest("lastname", names.last.as_deref(), 50);
    checks.longest("fullname", names.full.as_deref(), 160);
}

/// Checks that no date is in the future, and that the activation is neither before the submission nor before the
/// opening of the office. Reports all errors together.
pub(super) fn check_dates(
    submitted_on: NaiveDate,
    activated_on: Option<NaiveDate>,
    today: NaiveDate,
) -> Result<(), Failure> {
    let mut checks = Checks::of("client");
    let mut refuse = |what: &str, parameter: &str, date: NaiveDate| {
        let code = format!("error.msg.clients.{parameter}.{what}");
        checks.push(Item::new(code, parameter, vec![date.to_string().into()]));
    };
    if let Some(activated_on) = activated_on {
        if submitted_on > activated_on {
            refuse("after.activation.date", "submittedOnDate", submitted_on);
        }
        if activated_on > today {
            refuse("in.the.future", "activationDate", activated_on);
        }
        if NaiveDate::from_ymd_opt(2009, 1, 1).is_some_and(|opened| activated_on < opened) {
            let what = "cannot.be.before.office.activation.date";
            refuse(what, "activationDate", activated_on);
        }
    }
    if submitted_on > today {
        refuse("in.the.future", "submittedOnDate", submitted_on);
    }
    checks.finish()
}

/// Checks the constraints of Fineract's database: the length of the e-mail address, and that no other client has the
/// same external id or mobile number.
pub(super) fn check_constraints(books: &Books, client: &Client) -> Result<(), Failure> {
    if client
        .email_address
        .as_ref()
        .is_some_and(|email| email.chars().count() > 150)
    {
        return Err(Failure::constraint(
            "error.msg.client.unknown.data.integrity.issue",
        ));
    }
    let unique = [
        (
            "externalId",
            &client.external_id,
            &books.clients_by_external_id,
        ),
        ("mobileNo", &client.mobile_no, &books.clients_by_mobile),
    ];
    for (parameter, value, taken) in unique {
        let Some(value) = value else { continue };
        if taken.get(value).is_some_and(|holder| *holder != client.id) {
            let code = format!("error.msg.client.duplicate.{parameter}");
            return Err(Failure::Integrity(Item::new(
                code,
                parameter,
                vec![value.as_str().into()],
            )));
        }
    }
    Ok(())
}
