//! `CLIENT_UPDATE`: changes a client's names, contacts or activation date.

use serde::Serialize;

use super::{
    body::{DATE_FORMAT, LOCALE, Success, send},
    client_create::is_stored_as,
    deployment::Deployment,
    fields::Fields,
    operation::{Context, Evidence, Operation, Plan, Refusal},
    rules,
};
use crate::domain::{Checked, Client, Day, Facts, Lane, OperationId, OperationType, Reads};

/// Changes a client's names, contacts or activation date (`docs/fineract/clients.md`, "Changing a client").
#[derive(Debug)]
pub(super) struct ClientUpdate {
    external_id: String,
    activation_date: Option<Day>,
    firstname: Option<String>,
    lastname: Option<String>,
    mobile_no: Option<String>,
    email_address: Option<String>,
}

/// The request body. Fineract does not change a field that is left out.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    firstname: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lastname: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mobile_no: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email_address: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    activation_date: Option<Day>,
    #[serde(skip_serializing_if = "Option::is_none")]
    external_id: Option<&'a str>,
    locale: &'static str,
    date_format: &'static str,
}

impl Operation for ClientUpdate {
    const TYPE: OperationType = OperationType::ClientUpdate;

    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let external_id = fields.required_id("externalId");
        let activation_date = fields.optional("activationDate", rules::day());
        let firstname = fields.optional("firstname", rules::name());
        let lastname = fields.optional("lastname", rules::name());
        let mobile_no = fields.optional("mobileNo", rules::mobile_no());
        let email_address = fields.optional("emailAddress", rules::email_address());
        fields.needs_one_of(&[
            "activationDate",
            "firstname",
            "lastname",
            "mobileNo",
            "emailAddress",
        ]);
        Some(Self {
            external_id: external_id?,
            activation_date,
            firstname,
            lastname,
            mobile_no,
            email_address,
        })
    }

    fn checked(&self) -> Checked {
        Checked::on(Lane::client(&self.external_id))
    }

    fn fails_dependents(_: &[String]) -> bool {
        false
    }

    fn reads(&self, _: &Deployment, _: OperationId) -> Reads {
        Reads {
            client: Some(self.external_id.clone()),
            ..Reads::default()
        }
    }

    fn plan(&self, facts: &Facts, _: &Context<'_>) -> Plan {
        let Some(client) = &facts.client else {
            return Refusal::not_found("client");
        };
        let renamed = self.firstname.is_some() || self.lastname.is_some();
        let counts = renamed || self.mobile_no.is_some();
        let body = Body {
            // If one of the names is sent, Fineract requires both.
            firstname: self
                .firstname
                .as_deref()
                .or(client.firstname.as_deref())
                .filter(|_| renamed),
            lastname: self
                .lastname
                .as_deref()
                .or(client.lastname.as_deref())
                .filter(|_| renamed),
            mobile_no: self.mobile_no.as_deref(),
            email_address: self.email_address.as_deref(),
            activation_date: self.activation_date,
            // Fineract refuses an update without a change, and does not count an e-mail address or an activation date
            // as a change. It counts an external id as a change even if the external id stays the same. So such an
            // update also sends the external id.
            external_id: (!counts).then_some(&self.external_id),
            locale: LOCALE,
            date_format: DATE_FORMAT,
        };
        send(Self::TYPE, client.id, &body)
    }

    /// An update leaves no mark of its own in Fineract, and its only effect is that Fineract stores its values. If
    /// Fineract stores all of these values, it does not matter which command has stored them.
    fn evidence(&self, facts: &Facts, _: &Context<'_>) -> Evidence {
        match &facts.client {
            None => Evidence::CannotTell("client_not_found"),
            Some(client) if self.matches(client) => Evidence::Ours(Success::client(client).body()),
            Some(_) => Evidence::Absent,
        }
    }
}

impl ClientUpdate {
    fn matches(&self, client: &Client) -> bool {
        let stored = |ours: &Option<String>, stored: &Option<String>| {
            ours.is_none() || is_stored_as(ours.as_deref(), stored.as_deref())
        };
        stored(&self.firstname, &client.firstname)
            && stored(&self.lastname, &client.lastname)
            && stored(&self.mobile_no, &client.mobile_no)
            && stored(&self.email_address, &client.email_address)
            && self
                .activation_date
                .is_none_or(|day| client.activation_date == Some(day))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Method;
    use crate::operations::testing::{CLIENT, Case, body_of, evidence, plan, problems, with};

    fn client(from: &str, to: &str) -> Facts {
        Facts {
            client: Some(Client::parse(&with(CLIENT, from, to)).unwrap()),
            ..Facts::default()
        }
    }

    #[test]
    fn too_many_fields_are_one_problem() {
        let problems = |fields: usize| {
            let repeated = "\"b\":0,".repeat(fields - 1);
            problems::<ClientUpdate>(&format!("{{{repeated}\"a\":0}}"))
        };
        assert_eq!(problems(101), ["/data too_many_fields"]);
        assert!(problems(100).len() > 98);
    }

    #[test]
    fn the_body_is_one_that_fineract_counts_as_a_change() {
        let end = r#","locale":"en","dateFormat":"dd MMMM yyyy"}"#;
        for (change, sent) in [
            (
                r#""firstname":"Uma""#,
                r#""firstname":"Uma","lastname":"Badgujar""#,
            ),
            (
                r#""lastname":"Rao""#,
                r#""firstname":"Jayesh","lastname":"Rao""#,
            ),
            (r#""mobileNo":"1","firstname":null"#, r#""mobileNo":"1""#),
            (
                r#""emailAddress":"a@b.c""#,
                r#""emailAddress":"a@b.c","externalId":"INC-1001""#,
            ),
            (
                r#""activationDate":"10 January 2026""#,
                r#""activationDate":"10 January 2026","externalId":"INC-1001""#,
            ),
            (
                r#""mobileNo":"1","emailAddress":"a@b.c","activationDate":"10 January 2026""#,
                r#""mobileNo":"1","emailAddress":"a@b.c","activationDate":"10 January 2026""#,
            ),
        ] {
            let payload = format!(r#"{{"externalId":"INC-1001",{change}}}"#);
            let plan = plan::<ClientUpdate>(&payload, &client("", ""), Case::default());
            assert_eq!(
                body_of(&plan, Method::Put, "/clients/42"),
                format!("{{{sent}{end}")
            );
        }
    }

    #[test]
    fn something_must_change() {
        for (payload, expected) in [
            (
                "{}",
                vec!["/data/externalId required", "/data nothing_to_change"],
            ),
            (
                r#"{"externalId":"A","mobileNo":null}"#,
                vec!["/data nothing_to_change"],
            ),
            (
                r#"{"externalId":"A","mobileNo":""}"#,
                vec!["/data/mobileNo blank"],
            ),
            (
                r#"{"externalId":"A","lastName":"B"}"#,
                vec!["/data nothing_to_change", "/data/lastName unknown_field"],
            ),
            ("7", vec!["/data wrong_type"]),
        ] {
            assert_eq!(problems::<ClientUpdate>(payload), expected, "{payload}");
        }
    }

    #[test]
    fn evidence_is_that_every_value_is_stored() {
        let ours =
            r#"{"officeId":1,"clientId":42,"resourceId":42,"resourceExternalId":"INC-1001"}"#;
        let payload = r#"{"externalId":"INC-1001","lastname":"Badgujar","mobileNo":"9966999999",
            "activationDate":"01 January 2026"}"#;
        for (facts, expected) in [
            (client("", ""), ours),
            (client("jayesh@example.com", "other@example.com"), ours),
            (client("Badgujar", "Badgu"), "absent"),
            (client("9966999999", ""), "absent"),
            (
                client(
                    "\"activationDate\":[2026,1,1]",
                    "\"activationDate\":[2026,1,2]",
                ),
                "absent",
            ),
            (Facts::default(), "cannot tell"),
        ] {
            assert_eq!(
                evidence::<ClientUpdate>(payload, &facts, Case::default()),
                expected
            );
        }
    }
}
