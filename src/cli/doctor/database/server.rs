//! Checks the server of the database, and the settings of a connection to it.

use std::time::Duration;

use crate::{
    cli::doctor::{compare_clocks, report::Report},
    store::{Diagnosis, Server},
    telemetry::wall_clock,
};

/// The checks of the server.
pub(super) const OF_SERVER: [&str; 4] = [
    "database.version",
    "database.durability",
    "database.tls",
    "database.clock",
];
/// The checks of the settings of a connection.
pub(super) const OF_SETTINGS: [&str; 4] = [
    "database.encoding",
    "database.writable",
    "database.synchronous_commit",
    "database.connection_settings",
];

/// The version of Postgres with which the gateway is tested.
const TESTED: i32 = 15;
/// The first version that has the functions that the gateway uses (`pg_current_xact_id`).
const FIRST: i32 = 13;

/// The settings of a connection that have a check of their own, each with the name of this check and with what to do.
const SETTINGS: [(&str, &str, &str); 5] = [
    (
        "server_encoding",
        "database.encoding",
        "create the database with ENCODING 'UTF8'",
    ),
    (
        "client_encoding",
        "database.encoding",
        "remove client_encoding from the settings of the database and of the role",
    ),
    (
        "in_hot_standby",
        "database.writable",
        "let DATABASE_URL name the primary, not a standby",
    ),
    (
        "default_transaction_read_only",
        "database.writable",
        "find out who made the database read-only, and why",
    ),
    (
        "synchronous_commit",
        "database.synchronous_commit",
        "let the role, and the pooler if there is one, set synchronous_commit",
    ),
];

/// Checks the server.
pub(super) async fn check_server(report: &mut Report, database: &mut Diagnosis) {
    let asked_at = wall_clock();
    match database.server().await {
        Ok(server) => {
            say_version(report, &server);
            say_durability(report, &server);
            say_tls(report, &server);
            compare_clocks(
                report,
                "database.clock",
                asked_at,
                server.now,
                Duration::ZERO,
            );
        }
        Err(error) => report.unanswered(&OF_SERVER, &error),
    }
}

fn say_version(report: &mut Report, server: &Server) {
    const CHECK: &str = "database.version";
    let Server {
        version,
        version_number,
        ..
    } = server;
    let major = version_number / 10_000;
    if major == TESTED {
        report.fine(CHECK, format!("Postgres {version}"));
    } else if major < FIRST {
        let finding = format!(
            "Postgres {version} lacks functions that the gateway uses, which exist since {FIRST}"
        );
        report.wrong(CHECK, finding, format!("use Postgres {TESTED}"));
    } else {
        let finding = format!("Postgres {version}; the gateway is tested only with {TESTED}");
        report.not_known(CHECK, finding);
    }
}

fn say_durability(report: &mut Report, server: &Server) {
    const CHECK: &str = "database.durability";
    let off: Vec<_> = [
        ("fsync", server.fsync),
        ("full_page_writes", server.full_page_writes),
    ]
    .into_iter()
    .filter(|(_, is_on)| !is_on)
    .map(|(name, _)| name)
    .collect();
    if off.is_empty() {
        report.fine(CHECK, "fsync and full_page_writes are on");
        return;
    }
    let off = off.join(" and ");
    report.wrong(
        CHECK,
        format!("switched off: {off}; a crash of the machine may lose accepted operations"),
        format!("set {off} to on, and reload the configuration of Postgres"),
    );
}

fn say_tls(report: &mut Report, server: &Server) {
    const CHECK: &str = "database.tls";
    if server.is_encrypted {
        report.fine(CHECK, "the connection is encrypted");
    } else if server.is_local {
        report.fine(
            CHECK,
            "not encrypted; the connection does not leave the machine",
        );
    } else {
        report.not_known(
            CHECK,
            "not encrypted; that is right only in a private network (otherwise add sslmode=verify-full to DATABASE_URL)",
        );
    }
}

/// Checks the settings of a connection, after the gateway has set its own.
pub(super) async fn check_settings(report: &mut Report, database: &mut Diagnosis) {
    const OTHERS: &str = "database.connection_settings";
    let unfit = match database.unfit_settings().await {
        Ok(unfit) => unfit,
        Err(error) => return report.unanswered(&OF_SETTINGS, &error),
    };
    let own = |name: &str| SETTINGS.iter().find(|(known, _, _)| *known == name);
    for check in &OF_SETTINGS {
        let found: Vec<_> = unfit
            .iter()
            .filter(|unfit| own(&unfit.name).map_or(OTHERS, |(_, check, _)| check) == *check)
            .collect();
        if found.is_empty() {
            report.fine(*check, fine_setting(check));
        }
        for setting in found {
            let action = own(&setting.name).map_or(
                "let the role, and the pooler if there is one, change this setting",
                |(_, _, action)| action,
            );
            report.wrong(*check, setting.to_string(), action);
        }
    }
}

fn fine_setting(check: &str) -> &'static str {
    match check {
        "database.encoding" => "the encoding is UTF8",
        "database.writable" => "the server is no standby, and the database is not read-only",
        "database.synchronous_commit" => {
            "on for the connections of the gateway, which sets it on each of them"
        }
        _ => "the other settings of a connection are as the gateway sets them",
    }
}
