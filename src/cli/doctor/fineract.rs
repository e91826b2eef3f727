//! Checks Fineract. Sends only reads and a login, never a command.

use std::time::Duration;

use super::{compare_clocks, products, report::Report, rights};
use crate::{
    config::{self, Operations},
    domain::Answer,
    fineract::{Contact, ContactFailure, Fineract, Process},
    telemetry::wall_clock,
};

/// How long one call may take. Calls of the gateway itself may take longer (`FINERACT_TIMEOUT_SECONDS`).
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// The checks that need an answer of Fineract.
const WITH_ANSWER: [&str; 3] = ["fineract.clock", "fineract.tenant", "fineract.login"];
/// The checks that also need a login.
const WITH_LOGIN: [&str; 6] = [
    "fineract.version",
    "fineract.processes",
    "fineract.rights",
    "fineract.payment_type",
    "fineract.office",
    "fineract.products",
];

/// The releases of Fineract whose behaviour is known (`docs/fineract/release-1.10.1.md`).
const KNOWN: [&str; 2] = ["1.10.1", "1.11.0-SNAPSHOT"];

/// Checks the Fineract of the settings. If there are no settings, `without_settings` gives the reason. Also returns the
/// process of Fineract that answers, if Fineract shows it.
pub(super) async fn check(
    settings: Option<&(config::Fineract, Operations)>,
    without_settings: &str,
) -> (Report, Option<Process>) {
    let mut report = Report::default();
    let Some((settings, operations)) = settings else {
        for checks in [
            &["fineract.reachable", "fineract.tls"][..],
            &WITH_ANSWER,
            &WITH_LOGIN,
        ] {
            report.none_known(checks, without_settings);
        }
        return (report, None);
    };
    let settings = config::Fineract {
        timeout: settings.timeout.min(ANSWER_TIMEOUT),
        ..settings.clone()
    };
    let fineract = match Fineract::new(&settings) {
        Ok(fineract) => fineract,
        Err(error) => {
            let action = "correct the settings of Fineract, or install the system's certificates";
            report.wrong("fineract.reachable", error.to_string(), action);
            return (report, None);
        }
    };
    let asked_at = wall_clock();
    let contact = match fineract.contact().await {
        Ok(contact) => contact,
        Err(failure) => {
            say_failure(&mut report, failure);
            let reason = "Fineract does not answer";
            report.none_known(&WITH_ANSWER, reason);
            report.none_known(&WITH_LOGIN, reason);
            say_scheduler(&mut report);
            return (report, None);
        }
    };
    say_tls(&mut report, &settings);
    match contact.now {
        Some(now) => {
            let second = Duration::from_secs(1);
            compare_clocks(&mut report, "fineract.clock", asked_at, now, second);
        }
        None => report.not_known("fineract.clock", "the answer has no date"),
    }
    let process = if say_access(&mut report, &contact, &settings) {
        check_inside(&mut report, &fineract, &settings, operations).await
    } else {
        report.none_known(
            &WITH_LOGIN,
            "Fineract does not accept the gateway's requests",
        );
        None
    };
    say_scheduler(&mut report);
    (report, process)
}

fn say_failure(report: &mut Report, failure: ContactFailure) {
    const TLS: &str = "fineract.tls";
    const REACHABLE: &str = "fineract.reachable";
    let (finding, action) = match failure {
        ContactFailure::Tls(reason) => {
            report.not_known(REACHABLE, "a server accepts the connection, but TLS fails");
            report.wrong(
                TLS,
                reason,
                "name the CA of Fineract's certificate in FINERACT_CA_FILE, and use in FINERACT_URL a host name of the certificate; if Fineract demands a certificate of the gateway, name it in FINERACT_CLIENT_CERT_FILE",
            );
            return;
        }
        ContactFailure::NotConnected(reason) => (
            format!("nobody accepts a connection at FINERACT_URL: {reason}"),
            "correct FINERACT_URL, or start Fineract and open the way to it",
        ),
        ContactFailure::TimedOut => (
            format!("no answer within {} s", ANSWER_TIMEOUT.as_secs()),
            "look at Fineract's log and load, and at the proxies before it",
        ),
        ContactFailure::Closed => (
            "the connection was closed before an answer arrived".to_owned(),
            "look at Fineract's log; if Fineract uses TLS, FINERACT_URL must begin with https://",
        ),
    };
    report.wrong(REACHABLE, finding, action);
    report.not_known(TLS, "Fineract does not answer");
}

fn say_tls(report: &mut Report, settings: &config::Fineract) {
    const CHECK: &str = "fineract.tls";
    let host = settings.url.host_str().unwrap_or_default();
    let is_local = host == "localhost"
        || host
            .trim_matches(['[', ']'])
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback());
    if settings.url.scheme() == "https" {
        report.fine(CHECK, "the certificate is accepted");
    } else if is_local {
        report.fine(CHECK, "not used; Fineract is on this machine");
    } else {
        report.not_known(
            CHECK,
            "not used: the password crosses the network unencrypted, which is right only in a private network",
        );
    }
}

/// Reports whether Fineract accepts the gateway's requests at all, and returns it
/// (`docs/fineract/commands.md`, "Refused before any resource is reached").
fn say_access(report: &mut Report, contact: &Contact, settings: &config::Fineract) -> bool {
    const REACHABLE: &str = "fineract.reachable";
    const TENANT: &str = "fineract.tenant";
    const LOGIN: &str = "fineract.login";
    let Answer { status, .. } = contact.answer;
    let codes = contact.answer.codes();
    let has = |code: &str| codes.iter().any(|known| known == code);
    let tenant = format!("Fineract knows the tenant {}", settings.tenant);
    let unreachable = match status {
        300..=399 => {
            Some("FINERACT_URL redirects: write https:// instead of http://, or the other URL")
        }
        502..=504 if codes.is_empty() => {
            Some("a proxy answers, but Fineract does not: start Fineract")
        }
        404 | 405 if codes.is_empty() => {
            Some("FINERACT_URL must lead to Fineract and end in /api/v1")
        }
        _ => None,
    };
    if let Some(action) = unreachable {
        report.wrong(REACHABLE, format!("FINERACT_URL answers {status}"), action);
        report.none_known(&[TENANT, LOGIN], "no answer of Fineract");
        return false;
    }
    report.fine(REACHABLE, "Fineract answers");
    if status == 200 || has("error.msg.not.authorized") {
        report.fine(TENANT, tenant);
        report.fine(
            LOGIN,
            format!("Fineract accepts the user {}", settings.user),
        );
        return true;
    }
    if status == 401 {
        report.not_known(TENANT, "the login fails");
        report.wrong(
            LOGIN,
            "Fineract answers 401: it does not accept the user or the password",
            "correct FINERACT_USER or FINERACT_PASSWORD",
        );
    } else if has("error.msg.password.outdated") {
        report.fine(TENANT, tenant);
        let action = "set a new password in Fineract and in FINERACT_PASSWORD";
        report.wrong(LOGIN, "the password has expired", action);
    } else if status == 400 && codes.is_empty() {
        report.wrong(
            TENANT,
            format!(
                "Fineract answers 400: it does not know the tenant {}",
                settings.tenant
            ),
            "correct FINERACT_TENANT",
        );
        report.not_known(LOGIN, "the tenant is wrong");
    } else {
        let finding = format!("Fineract answers {status} {}", codes.join(", "));
        report.none_known(&[TENANT, LOGIN], finding.trim());
    }
    false
}

/// Checks what needs a login. Returns the process of Fineract that answers, if Fineract shows it.
async fn check_inside(
    report: &mut Report,
    fineract: &Fineract,
    settings: &config::Fineract,
    operations: &Operations,
) -> Option<Process> {
    let (version, processes, process, rights, products) = tokio::join!(
        fineract.version(),
        fineract.count_processes(),
        fineract.process(),
        rights::check(fineract),
        products::check(fineract, operations),
    );
    say_version(report, version.ok().flatten().as_deref());
    say_processes(report, processes, settings.single_process);
    report.extend(rights);
    report.extend(products);
    process.ok().flatten()
}

/// Reports the version that Fineract shows.
pub(super) fn say_version(report: &mut Report, version: Option<&str>) {
    const CHECK: &str = "fineract.version";
    let Some(version) = version else {
        report.not_known(CHECK, "Fineract does not show /actuator/info");
        return;
    };
    let mut numbers = version
        .split(['.', '-'])
        .map_while(|part| part.parse::<u32>().ok());
    let is_too_old = match (numbers.next(), numbers.next()) {
        (Some(major), Some(minor)) => (major, minor) < (1, 9),
        _ => false,
    };
    if is_too_old {
        let finding = format!("{version} has neither idempotency keys nor paths with external ids");
        report.wrong(CHECK, finding, "use Fineract 1.9 or later");
    } else if KNOWN.contains(&version) {
        report.fine(CHECK, version);
    } else {
        let finding = format!(
            "{version}; the gateway is tested only with {}",
            KNOWN.join(" and ")
        );
        report.not_known(CHECK, finding);
    }
}

/// Reports how many processes have answered.
pub(super) fn say_processes(report: &mut Report, processes: Option<usize>, is_single: bool) {
    const CHECK: &str = "fineract.processes";
    match processes {
        None => report.not_known(
            CHECK,
            "Fineract does not show /actuator/prometheus, where the gateway detects a restart of Fineract",
        ),
        Some(count) if count > 1 && is_single => report.wrong(
            CHECK,
            format!("{count} processes have answered, but FINERACT_SINGLE_PROCESS is true"),
            "set FINERACT_SINGLE_PROCESS to false: otherwise a restart of one process would count as the end of the commands of another",
        ),
        Some(count) => report.fine(CHECK, format!("processes that have answered: {count}")),
    }
}

/// No document tells how to ask Fineract for its scheduler without a change, so `doctor` does not ask.
fn say_scheduler(report: &mut Report) {
    report.not_known(
        "fineract.scheduler",
        "not asked; look in Fineract whether its scheduler is active and its jobs succeed",
    );
}
