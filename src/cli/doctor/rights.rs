//! Checks the permissions of the gateway's user in Fineract, one by one.
//!
//! The permissions for commands come from a login. The permissions for reads are tried by a read that finds nothing or
//! shows no person: what a read shows is certain, whatever the login shows.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::report::Report;
use crate::{
    domain::{FineractCommand, OperationType},
    fineract::Fineract,
};

/// The permission that a `CLIENT_CREATE` needs besides `CREATE_CLIENT`, because it creates an active client.
const ACTIVATE: &str = "ACTIVATE_CLIENT";

/// The permissions that the gateway's user must not have, each with its effect (`docs/fineract/outages.md`, "The
/// nightly lock on a loan", and `docs/fineract/checkers.md`).
const EXCESSIVE: [(&str, &str); 3] = [
    (
        "ALL_FUNCTIONS",
        "it is a super user, whose writes bypass the lock of the nightly job and bypass maker-checker",
    ),
    (
        "BYPASS_LOAN_WRITE_PROTECTION",
        "its writes bypass the lock of the nightly job",
    ),
    ("CHECKER_SUPER_USER", "its commands bypass maker-checker"),
];

/// Checks all permissions that the gateway needs.
pub(super) async fn check(fineract: &Fineract) -> Report {
    let mut report = Report::default();
    // No client and no loan has this external id.
    let nobody = Uuid::new_v4();
    let (clients, loans) = (
        format!("/clients?externalId={nobody}"),
        format!("/loans?externalId={nobody}"),
    );
    let (permissions, client, loan, product, payment_type, audit) = tokio::join!(
        fineract.permissions(),
        fineract.may_read(&clients),
        fineract.may_read(&loans),
        fineract.may_read("/loanproducts"),
        fineract.may_read("/paymenttypes"),
        fineract.may_read_audits(),
    );
    let permissions = permissions.ok().flatten();
    say_excessive(&mut report, permissions.as_ref());
    for (permission, types) in wanted() {
        let may = permissions
            .as_ref()
            .map(|has| has.contains(&permission) || has.contains("ALL_FUNCTIONS"));
        let without = format!("{} operations wait", types.join(" and "));
        say(&mut report, &permission, may, &without);
    }
    for (permission, may, without) in [
        ("READ_CLIENT", client, "operations that read a client wait"),
        ("READ_LOAN", loan, "operations that read a loan wait"),
        ("READ_LOANPRODUCT", product, "LOAN_CREATE operations wait"),
        (
            "READ_PAYMENTTYPE",
            payment_type,
            "disbursements and repayments wait",
        ),
        (
            "READ_AUDIT",
            audit,
            "the gateway cannot see what checkers do with its commands",
        ),
    ] {
        say(&mut report, permission, may, without);
    }
    report
}

/// The permission of each command, with the operation types that need it.
fn wanted() -> BTreeMap<String, Vec<String>> {
    let mut wanted: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for operation_type in OperationType::ALL {
        let (action, entity) = FineractCommand::of(*operation_type).task();
        let mut permissions = vec![format!("{action}_{entity}")];
        if *operation_type == OperationType::ClientCreate {
            permissions.push(ACTIVATE.to_owned());
        }
        for permission in permissions {
            wanted
                .entry(permission)
                .or_default()
                .push(operation_type.to_string());
        }
    }
    wanted
}

fn say_excessive(report: &mut Report, permissions: Option<&BTreeSet<String>>) {
    const CHECK: &str = "fineract.rights";
    let Some(permissions) = permissions else {
        report.not_known(
            CHECK,
            "Fineract does not show the permissions of the gateway's user (POST /authentication)",
        );
        return;
    };
    let found: Vec<_> = EXCESSIVE
        .iter()
        .filter(|(permission, _)| permissions.contains(*permission))
        .collect();
    if found.is_empty() {
        report.fine(
            CHECK,
            "the gateway's user has no permission that bypasses a safeguard",
        );
    }
    for (permission, effect) in found {
        report.wrong(
            CHECK,
            format!("the gateway's user has {permission}: {effect}"),
            "give the gateway a user of its own, with only the permissions of docs/DEPLOYING.md",
        );
    }
}

fn say(report: &mut Report, permission: &str, may: Option<bool>, without: &str) {
    let check = format!("fineract.rights.{permission}");
    match may {
        Some(true) => report.fine(check, "the gateway's user has it"),
        Some(false) => report.wrong(
            check,
            format!("the gateway's user lacks it: {without}"),
            format!("give a role of this user the permission {permission} in Fineract"),
        ),
        None => report.not_known(check, "Fineract does not show it"),
    }
}
