//! What the operations' unit tests share.

use serde_json::value::RawValue;
use uuid::Uuid;

use super::{Checked, Context, Deployment, Evidence, Facts, Operation, Plan, Problem, decode};
use crate::domain::{Method, OperationId, Request, TrackingId};

/// A deployment with the nine lenders, of which one has another product's name.
pub(super) fn deployment() -> Deployment {
    let lenders = [
        "LIQUILOANS",
        "UGRO",
        "DMI",
        "ARTHMATE",
        "SHIVALIK",
        "VIVRITI",
        "GB",
        "IKF",
        "LENDINGKART",
    ];
    Deployment {
        office_id: 1,
        payment_type: Some("Bank transfer".to_owned()),
        lenders: lenders
            .map(|name| (name.to_owned(), name.to_owned()))
            .to_vec(),
    }
}

/// The operation's id in every test.
pub(super) const ID: OperationId =
    OperationId(Uuid::from_u128(0x0199_0000_0000_7000_8000_0000_0000_0001));

/// What differs between tests of a context.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Case<'a> {
    pub(super) known_id: Option<i64>,
    pub(super) same_reference: Option<TrackingId>,
    pub(super) sent: Option<&'a Request>,
}

impl<'a> Case<'a> {
    fn context(self, deployment: &'a Deployment) -> Context<'a> {
        Context {
            id: ID,
            deployment,
            user: "mifos",
            known_id: self.known_id,
            same_reference: self.same_reference,
            sent: self.sent,
        }
    }
}

fn raw(payload: &str) -> Box<RawValue> {
    RawValue::from_string(payload.to_owned()).unwrap()
}

fn read<O: Operation>(payload: &str) -> O {
    decode(&raw(payload), &deployment()).unwrap()
}

/// Pointer and code of each problem.
pub(super) fn problems<O: Operation>(payload: &str) -> Vec<String> {
    let problems = decode::<O>(&raw(payload), &deployment())
        .err()
        .map(|invalid| invalid.problems);
    let line = |problem: Problem| format!("{} {}", problem.pointer, problem.code);
    problems.unwrap_or_default().into_iter().map(line).collect()
}

pub(super) fn checked<O: Operation>(payload: &str) -> Checked {
    read::<O>(payload).checked()
}

pub(super) fn plan<O: Operation>(payload: &str, facts: &Facts, case: Case<'_>) -> Plan {
    let deployment = deployment();
    read::<O>(payload).plan(facts, &case.context(&deployment))
}

/// The body of a plan that sends.
pub(super) fn body_of(plan: &Plan, method: Method, path: &str) -> String {
    let Plan::Send(request) = plan else {
        panic!("nothing is sent: {plan:?}");
    };
    assert_eq!((request.method, request.path.as_str()), (method, path));
    request.body.clone().unwrap_or_default()
}

/// Evidence in one line.
pub(super) fn evidence<O: Operation>(payload: &str, facts: &Facts, case: Case<'_>) -> String {
    let deployment = deployment();
    match read::<O>(payload).evidence(facts, &case.context(&deployment)) {
        Evidence::Ours(body) => body,
        Evidence::NotOurs(why) => format!("not ours: {why}"),
        Evidence::Absent => "absent".to_owned(),
        Evidence::CannotTell(_) => "cannot tell".to_owned(),
    }
}
