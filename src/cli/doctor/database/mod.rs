//! Checks the database.

mod server;

use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};

use self::server::{OF_SERVER, OF_SETTINGS, check_server, check_settings};
use super::report::Report;
use crate::{
    store::{
        AuditGuard, DatabaseProblem, Diagnosis, LastVerdict, OldestTransaction, Rights,
        SchemaVersion, Standbys,
    },
    telemetry::chain,
};

/// The other checks that need a connection.
const OTHERS: [&str; 6] = [
    "database.pooler",
    "database.standbys",
    "database.long_transactions",
    "database.schema",
    "database.rights",
    "database.audit",
];

/// Checks the database. Also returns the last verdicts on keys, if they could be read.
pub(super) async fn check(
    url: Option<&SecretString>,
    transaction_age: Duration,
) -> (Report, Option<Vec<LastVerdict>>) {
    let mut report = Report::default();
    let Some(url) = url else {
        let reason = "the settings name no database";
        report.not_known("database.reachable", reason);
        none_known(&mut report, reason);
        return (report, None);
    };
    let mut database = match Diagnosis::connect(url.expose_secret()).await {
        Ok(database) => database,
        Err(problem) => {
            say_unreachable(&mut report, &problem);
            none_known(&mut report, "the database cannot be reached");
            return (report, None);
        }
    };
    report.fine("database.reachable", "the database accepts a connection");
    check_server(&mut report, &mut database).await;
    check_settings(&mut report, &mut database).await;
    match database.check_pooler().await {
        Ok(()) => report.fine(
            "database.pooler",
            "each connection has its own session of Postgres",
        ),
        Err(problem) => report.wrong(
            "database.pooler",
            chain(&problem).to_string(),
            "give each gateway process 17 connections, directly or by a pooler in session mode",
        ),
    }
    match database.standbys().await {
        Ok(standbys) => say_standbys(&mut report, &standbys),
        Err(error) => report.unanswered(&["database.standbys"], &error),
    }
    match database.oldest_transaction().await {
        Ok(oldest) => say_oldest(&mut report, &oldest, transaction_age),
        Err(error) => report.unanswered(&["database.long_transactions"], &error),
    }
    let is_migrated = check_schema(&mut report, &mut database).await;
    match database.rights().await {
        Ok(rights) => say_rights(&mut report, &rights, is_migrated),
        Err(error) => report.unanswered(&["database.rights"], &error),
    }
    check_audit(&mut report, &mut database, is_migrated).await;
    let verdicts = if is_migrated {
        database.key_verdicts().await.ok()
    } else {
        None
    };
    (report, verdicts)
}

/// Adds all checks that need a connection, because there is none.
fn none_known(report: &mut Report, reason: &str) {
    for checks in [&OF_SERVER[..], &OF_SETTINGS, &OTHERS] {
        report.none_known(checks, reason);
    }
}

fn say_unreachable(report: &mut Report, problem: &DatabaseProblem) {
    // If the URL is wrong, the cause may quote a part of it, and so of the password.
    let finding = if matches!(problem, DatabaseProblem::Url(_)) {
        problem.to_string()
    } else {
        chain(problem).to_string()
    };
    report.wrong(
        "database.reachable",
        finding,
        "correct DATABASE_URL, or start the database and open the way to it",
    );
}

fn say_standbys(report: &mut Report, standbys: &Standbys) {
    const CHECK: &str = "database.standbys";
    let Standbys {
        synchronous_names,
        synchronous,
        asynchronous,
        hidden,
    } = standbys;
    let has_names = !synchronous_names.is_empty();
    if *hidden > 0 {
        let finding = format!(
            "{hidden} standbys; the role does not see whether they are synchronous (GRANT pg_read_all_stats)"
        );
        report.not_known(CHECK, finding);
    } else if has_names && *synchronous == 0 {
        report.wrong(
            CHECK,
            "synchronous_standby_names is set, but no synchronous standby is connected: no commit ends",
            "start the standby, or empty synchronous_standby_names",
        );
    } else if *synchronous > 0 {
        let finding =
            format!("{synchronous} synchronous standbys, {asynchronous} that must not take over");
        report.fine(CHECK, finding);
    } else if *asynchronous > 0 {
        report.not_known(
            CHECK,
            format!(
                "{asynchronous} standbys, none of them synchronous: if one takes over, accepted operations are lost (set synchronous_standby_names, unless none may take over)"
            ),
        );
    } else {
        report.fine(CHECK, "no standby is connected");
    }
}

fn say_oldest(report: &mut Report, oldest: &OldestTransaction, limit: Duration) {
    const CHECK: &str = "database.long_transactions";
    let seconds = oldest.age.as_secs();
    if oldest.age > limit {
        let (whose, action) = match oldest.pid {
            Some(pid) => (
                format!("the session with the process id {pid}"),
                format!(
                    "SELECT * FROM pg_stat_activity WHERE pid = {pid}; let it end, or terminate it"
                ),
            ),
            None => (
                "a prepared transaction".to_owned(),
                "SELECT * FROM pg_prepared_xacts; commit it or roll it back".to_owned(),
            ),
        };
        let finding = format!(
            "{whose} has had a transaction open for {seconds} s: Postgres cannot remove newer dead rows"
        );
        report.wrong(CHECK, finding, action);
    } else if oldest.sees_all {
        report.fine(
            CHECK,
            format!("the oldest open transaction is {seconds} s old"),
        );
    } else {
        report.not_known(
            CHECK,
            "the role does not see the transactions of other roles (GRANT pg_read_all_stats); its own are short",
        );
    }
}

/// Checks the version of the schema. Returns whether the schema has the tables of this gateway.
async fn check_schema(report: &mut Report, database: &mut Diagnosis) -> bool {
    const CHECK: &str = "database.schema";
    match database.schema_version().await {
        Ok(SchemaVersion::Current) => {
            report.fine(CHECK, "the database has all migrations of this gateway");
            return true;
        }
        Ok(SchemaVersion::Older) => report.wrong(
            CHECK,
            "migrations of this gateway are missing",
            "run `fineract-gateway migrate` (or `serve` without --no-migrate)",
        ),
        Ok(SchemaVersion::Newer) => report.wrong(
            CHECK,
            "a newer gateway has migrated the database",
            "run the newer gateway",
        ),
        Err(error) => report.unanswered(&[CHECK], &error),
    }
    false
}

fn say_rights(report: &mut Report, rights: &Rights, is_migrated: bool) {
    const CHECK: &str = "database.rights";
    let Some(schema) = &rights.schema else {
        report.wrong(
            CHECK,
            "the search_path of the role names no schema that the role may use",
            "GRANT USAGE ON SCHEMA public, or set search_path for the role",
        );
        return;
    };
    if !rights.missing.is_empty() {
        report.wrong(
            CHECK,
            format!("the role lacks {}", rights.missing.join(", ")),
            format!("run scripts/database-roles.sql, or GRANT these rights on the tables and functions of the schema {schema} to the role"),
        );
    } else if !is_migrated && !rights.may_create {
        report.wrong(
            CHECK,
            format!("the role may not create tables in the schema {schema}, so it cannot migrate"),
            "migrate as the owner of the schema, or GRANT CREATE ON SCHEMA to the role",
        );
    } else if rights.owns_all {
        report.fine(CHECK, "the role owns all tables");
    } else {
        report.fine(
            CHECK,
            "the role may use all tables; another role has to migrate",
        );
    }
}

/// Checks whether changes of the audit are refused.
async fn check_audit(report: &mut Report, database: &mut Diagnosis, is_migrated: bool) {
    const CHECK: &str = "database.audit";
    if !is_migrated {
        return report.not_known(CHECK, "the database is not migrated");
    }
    match database.audit_guard().await {
        Ok(AuditGuard { is_on: false, .. }) => report.wrong(
            CHECK,
            "a trigger that refuses changes of the audit is missing or switched off",
            "ALTER TABLE audit ENABLE ALWAYS TRIGGER audit_is_final, and the same for audit_seal; find out who did it, and run `fineract-gateway audit verify --seal …`",
        ),
        Ok(AuditGuard {
            may_switch_off: Some(true),
            ..
        }) => report.fine(
            CHECK,
            "changes of the audit are refused; the role could switch that off (scripts/database-roles.sql makes roles that cannot)",
        ),
        Ok(_) => report.fine(CHECK, "changes of the audit are refused"),
        Err(error) => report.unanswered(&[CHECK], &error),
    }
}
