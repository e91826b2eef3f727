//! `CLIENT_CREATE`: creates an active client.

use serde::Serialize;

use super::{
    body::{DATE_FORMAT, LOCALE, Success, create},
    deployment::Deployment,
    fields::Fields,
    operation::{Context, DONE_BY_ANOTHER, Evidence, Operation, Plan},
    rules,
};
use crate::domain::{Checked, Client, Day, Facts, Lane, OperationId, OperationType, Reads};

/// Creates an active client (`docs/fineract/clients.md`, "Creating a client").
#[derive(Debug)]
pub(super) struct ClientCreate {
    firstname: String,
    lastname: String,
    external_id: String,
    mobile_no: Option<String>,
    email_address: Option<String>,
    activation_date: Day,
}

/// The request body.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    office_id: i64,
    /// Always 1, which means a person. Fineract has no default.
    legal_form_id: i32,
    firstname: &'a str,
    lastname: &'a str,
    external_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    mobile_no: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email_address: Option<&'a str>,
    /// Always true: Fineract refuses every loan of a pending client.
    active: bool,
    activation_date: Day,
    submitted_on_date: Day,
    locale: &'static str,
    date_format: &'static str,
}

impl Operation for ClientCreate {
    const TYPE: OperationType = OperationType::ClientCreate;

    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let firstname = fields.required("firstname", rules::name());
        let lastname = fields.required("lastname", rules::name());
        let external_id = fields.required_id("externalId");
        let mobile_no = fields.optional("mobileNo", rules::mobile_no());
        let email_address = fields.optional("emailAddress", rules::email_address());
        let activation_date = fields.required("activationDate", rules::day());
        Some(Self {
            firstname: firstname?,
            lastname: lastname?,
            external_id: external_id?,
            mobile_no,
            email_address,
            activation_date: activation_date?,
        })
    }

    fn checked(&self) -> Checked {
        Checked::on(Lane::client(&self.external_id))
    }

    /// The operations behind a failed create fail too, because they need the client. But if the create failed because
    /// the client already exists, these operations can succeed.
    fn fails_dependents(codes: &[String]) -> bool {
        !codes
            .iter()
            .any(|code| code == "error.msg.client.duplicate.externalId" || code == DONE_BY_ANOTHER)
    }

    fn reads(&self, deployment: &Deployment, _: OperationId) -> Reads {
        Reads {
            office: Some(deployment.office_id),
            ..Reads::default()
        }
    }

    fn plan(&self, _: &Facts, context: &Context<'_>) -> Plan {
        let body = Body {
            office_id: context.deployment.office_id,
            legal_form_id: 1,
            firstname: &self.firstname,
            lastname: &self.lastname,
            external_id: &self.external_id,
            mobile_no: self.mobile_no.as_deref(),
            email_address: self.email_address.as_deref(),
            active: true,
            activation_date: self.activation_date,
            submitted_on_date: self.activation_date,
            locale: LOCALE,
            date_format: DATE_FORMAT,
        };
        create(Self::TYPE, &body)
    }

    fn evidence_reads(&self, _: &Deployment, _: OperationId) -> Reads {
        Reads {
            client: Some(self.external_id.clone()),
            ..Reads::default()
        }
    }

    fn evidence(&self, facts: &Facts, context: &Context<'_>) -> Evidence {
        let Some(client) = &facts.client else {
            return Evidence::Absent;
        };
        if context.known_id == Some(client.id) {
            return Evidence::NotOurs("The client was created by an earlier operation".to_owned());
        }
        if client.external_id.as_deref() != Some(&self.external_id)
            || !context.is_own(client.timeline.activated_by_username.as_deref())
        {
            return Evidence::NotOurs("The client was created by somebody else".to_owned());
        }
        if self.matches(client) {
            Evidence::Ours(Success::client(client).body())
        } else {
            Evidence::Changed(Success::client(client).body())
        }
    }
}

impl ClientCreate {
    fn matches(&self, client: &Client) -> bool {
        is_stored_as(Some(&self.firstname), client.firstname.as_deref())
            && is_stored_as(Some(&self.lastname), client.lastname.as_deref())
            && is_stored_as(self.mobile_no.as_deref(), client.mobile_no.as_deref())
            && is_stored_as(
                self.email_address.as_deref(),
                client.email_address.as_deref(),
            )
            && client.activation_date == Some(self.activation_date)
    }
}

/// Whether `stored` is the form in which Fineract stores the text `ours`. Fineract trims blanks, and does not
/// distinguish an empty text from a missing text.
pub(super) fn is_stored_as(ours: Option<&str>, stored: Option<&str>) -> bool {
    ours.unwrap_or_default().trim() == stored.unwrap_or_default().trim()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Method;
    use crate::operations::testing::{
        CLIENT, Case, body_of, checked, evidence, plan, problems, with,
    };

    const FULL: &str = r#"{"firstname":"Jayesh","lastname":"Badgujar","externalId":"INC-1001",
        "mobileNo":"9966999999","emailAddress":"jayesh@example.com","activationDate":"01 January 2026"}"#;

    #[test]
    fn the_body_is_the_recorded_one() {
        let plan = plan::<ClientCreate>(FULL, &Facts::default(), Case::default());
        assert_eq!(
            body_of(&plan, Method::Post, "/clients"),
            concat!(
                r#"{"officeId":1,"legalFormId":1,"firstname":"Jayesh","lastname":"Badgujar","#,
                r#""externalId":"INC-1001","mobileNo":"9966999999","emailAddress":"jayesh@example.com","#,
                r#""active":true,"activationDate":"01 January 2026","submittedOnDate":"01 January 2026","#,
                r#""locale":"en","dateFormat":"dd MMMM yyyy"}"#,
            )
        );
    }

    #[test]
    fn what_is_null_or_missing_is_not_sent() {
        let payload = r#"{"firstname":"A","lastname":"B","externalId":"C","mobileNo":null,
            "activationDate":"01 January 2026"}"#;
        let plan = plan::<ClientCreate>(payload, &Facts::default(), Case::default());
        let body = body_of(&plan, Method::Post, "/clients");
        assert!(
            !body.contains("mobileNo") && !body.contains("emailAddress"),
            "{body}"
        );
    }

    #[test]
    fn every_problem_is_reported_at_once() {
        for (payload, expected) in [
            ("[]", vec!["/data wrong_type"]),
            (
                r#"{"firstname":" ","lastname":null,"externalId":"a/b","mobileNo":9966999999,
                    "emailAddress":"\u0000","activationDate":"31 April 2026","mobileno":1,"a~/b":2}"#,
                vec![
                    "/data/firstname blank",
                    "/data/lastname required",
                    "/data/externalId forbidden_character",
                    "/data/mobileNo wrong_type",
                    "/data/emailAddress forbidden_character",
                    "/data/activationDate invalid_date",
                    "/data/mobileno unknown_field",
                    "/data/a~0~1b unknown_field",
                ],
            ),
            (
                r#"{"firstname":"A","firstname":"B","lastname":"C","externalId":"D",
                    "activationDate":"01 January 2026"}"#,
                vec!["/data/firstname repeated_field"],
            ),
        ] {
            assert_eq!(problems::<ClientCreate>(payload), expected, "{payload}");
        }
    }

    #[test]
    fn it_writes_the_clients_lane() {
        let checked = checked::<ClientCreate>(FULL);
        assert_eq!(checked.lanes.writes, Lane::client("inc-1001"));
        assert_eq!(checked.lanes.reads, None);
    }

    #[test]
    fn a_client_that_was_there_fails_no_dependents() {
        assert!(ClientCreate::fails_dependents(&[]));
        assert!(ClientCreate::fails_dependents(&[
            "error.msg.client.duplicate.mobileNo".to_owned()
        ]));
        for there in ["error.msg.client.duplicate.externalId", DONE_BY_ANOTHER] {
            assert!(!ClientCreate::fails_dependents(&[there.to_owned()]));
        }
    }

    #[test]
    fn evidence_needs_our_values_our_user_and_no_earlier_creator() {
        let ours =
            r#"{"officeId":1,"clientId":42,"resourceId":42,"resourceExternalId":"INC-1001"}"#;
        let stored = |from: &str, to: &str| Some(Client::parse(&with(CLIENT, from, to)).unwrap());
        let earlier = Case {
            known_id: Some(42),
            ..Case::default()
        };
        let before = Case {
            known_id: Some(7),
            ..Case::default()
        };
        for (client, case, expected) in [
            (None, Case::default(), "absent"),
            (stored("", ""), Case::default(), ours),
            (stored("", ""), before, ours),
            (stored("\"Jayesh\"", "\" Jayesh \""), Case::default(), ours),
            (
                stored("", ""),
                earlier,
                "not ours: The client was created by an earlier operation",
            ),
            (
                stored("mifos", "clerk"),
                Case::default(),
                "not ours: The client was created by somebody else",
            ),
            (
                stored("activatedByUsername", "x"),
                Case::default(),
                "not ours: The client was created by somebody else",
            ),
            (
                stored("INC-1001", "inc-1001"),
                Case::default(),
                "not ours: The client was created by somebody else",
            ),
            (stored("Badgujar", "Badgu"), Case::default(), "cannot tell"),
            (stored("mobileNo", "x"), Case::default(), "cannot tell"),
            (
                stored(
                    "\"activationDate\":[2026,1,1]",
                    "\"activationDate\":[2026,1,2]",
                ),
                Case::default(),
                "cannot tell",
            ),
        ] {
            let facts = Facts {
                client,
                ..Facts::default()
            };
            assert_eq!(
                evidence::<ClientCreate>(FULL, &facts, case),
                expected,
                "{facts:?}"
            );
        }
    }
}
