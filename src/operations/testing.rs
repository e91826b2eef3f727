//! Payloads, facts and helpers that the unit tests of the operation types share.

use serde_json::value::RawValue;
use uuid::Uuid;

use super::{
    decode,
    deployment::Deployment,
    fields::Problem,
    operation::{Context, Evidence, Operation, Plan},
};
use crate::domain::{Checked, Facts, Loan, Method, Named, OperationId, Request, TrackingId};

/// A deployment with the nine lenders.
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

/// The parts of a context that differ between tests.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Case<'a> {
    pub(super) known_id: Option<i64>,
    pub(super) same_reference: Option<TrackingId>,
    pub(super) sent: Option<&'a Request>,
    pub(super) checked: bool,
}

impl<'a> Case<'a> {
    fn context(self, deployment: &'a Deployment) -> Context<'a> {
        Context {
            id: ID,
            deployment,
            users: vec!["mifos"],
            known_id: self.known_id,
            same_reference: self.same_reference.map(|earlier| earlier.to_string()),
            sent: self.sent,
            checked: self.checked,
        }
    }
}

pub(super) fn raw(payload: &str) -> Box<RawValue> {
    RawValue::from_string(payload.to_owned()).unwrap()
}

fn read<O: Operation>(payload: &str) -> O {
    decode(&raw(payload), &deployment()).unwrap()
}

/// The pointer and the code of each problem.
pub(super) fn problems<O: Operation>(payload: &str) -> Vec<String> {
    let problems = super::read::<O>(&raw(payload), &deployment(), true)
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

/// The evidence on one line.
pub(super) fn evidence<O: Operation>(payload: &str, facts: &Facts, case: Case<'_>) -> String {
    let deployment = deployment();
    match read::<O>(payload).evidence(facts, &case.context(&deployment)) {
        Evidence::Ours(body) => body,
        Evidence::NotOurs(reason_code) => format!("not ours: {reason_code}"),
        Evidence::Absent => "absent".to_owned(),
        Evidence::Changed(_) | Evidence::CannotTell(_) => "cannot tell".to_owned(),
    }
}

/// Replaces a part of a text. The text must contain this part.
pub(super) fn with(json: &str, from: &str, to: &str) -> String {
    assert!(json.contains(from), "{from}");
    if from.is_empty() {
        json.to_owned()
    } else {
        json.replace(from, to)
    }
}

/// The facts with [`LOAN`] after these replacements.
pub(super) fn loan(parts: &[(&str, &str)]) -> Facts {
    let json = parts
        .iter()
        .fold(LOAN.to_owned(), |json, (from, to)| with(&json, from, to));
    Facts {
        loan: Some(Loan::parse(&json).unwrap()),
        ..Facts::default()
    }
}

/// A payment type with this number.
pub(super) fn payment_type(id: i64) -> Named {
    Named {
        id,
        name: "Bank transfer".to_owned(),
    }
}

/// A client as recorded.
pub(super) const CLIENT: &str = r#"{"id":42,"accountNo":"000000042","externalId":"INC-1001",
    "status":{"id":300,"code":"clientStatusType.active","value":"Active"},"active":true,
    "activationDate":[2026,1,1],"firstname":"Jayesh","lastname":"Badgujar",
    "displayName":"Jayesh Badgujar","mobileNo":"9966999999","emailAddress":"jayesh@example.com",
    "isStaff":false,"officeId":1,"officeName":"Head Office","timeline":{
    "submittedOnDate":[2026,1,1],"activatedOnDate":[2026,1,1],"activatedByUsername":"mifos"},
    "savingsProductName":"42","legalForm":{"id":1},"clientCollateralManagements":[],"groups":[]}"#;

/// A loan application as recorded, with the associations that the gateway reads.
pub(super) const LOAN: &str = r#"{"id":9,"accountNo":"000000009","externalId":"LOAN-123",
    "status":{"id":100,"pendingApproval":true},"clientId":42,"clientExternalId":"INC-1001",
    "clientOfficeId":1,"loanProductId":2,"loanProductName":"UGRO","loanType":{"id":1},
    "currency":{"code":"INR","decimalPlaces":2},"principal":100000.000000,
    "approvedPrincipal":100000.000000,"proposedPrincipal":100000.000000,
    "netDisbursalAmount":100000.000000,"termFrequency":12,"termPeriodFrequencyType":{"id":2},
    "numberOfRepayments":12,"repaymentEvery":1,"repaymentFrequencyType":{"id":2},
    "interestRatePerPeriod":8.000000,"interestRateFrequencyType":{"id":3},
    "amortizationType":{"id":1},"interestType":{"id":0},"interestCalculationPeriodType":{"id":1},
    "allowPartialPeriodInterestCalculation":false,
    "transactionProcessingStrategyCode":"mifos-standard-strategy",
    "disallowExpectedDisbursements":false,"timeline":{"submittedOnDate":[2024,1,10],
    "submittedByUsername":"mifos","expectedDisbursementDate":[2024,1,10]},
    "disbursementDetails":[],"transactions":[],"multiDisburseLoan":false,
    "isEqualAmortization":false}"#;

/// A simple product as recorded (UGRO).
pub(super) const PRODUCT: &str = r#"{"id":2,"name":"UGRO","shortName":"UGR","status":"loanProduct.active",
    "currency":{"code":"INR","decimalPlaces":2},"principal":100000.000000,"numberOfRepayments":12,
    "repaymentEvery":1,"repaymentFrequencyType":{"id":2},"interestRatePerPeriod":8.000000,
    "interestRateFrequencyType":{"id":3},"annualInterestRate":8.000000,"amortizationType":{"id":1},
    "interestType":{"id":0},"interestCalculationPeriodType":{"id":1},
    "allowPartialPeriodInterestCalculation":false,
    "transactionProcessingStrategyCode":"mifos-standard-strategy","loanProductName":"DMI","charges":[],
    "multiDisburseLoan":false,"disallowExpectedDisbursements":false,"isEqualAmortization":false}"#;
