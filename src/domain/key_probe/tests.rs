use super::*;
use crate::domain::Method;

fn answer(text: &str) -> Answer {
    let (head, code) = text.split_once(' ').unwrap_or((text, ""));
    Answer {
        status: head.trim_end_matches('c').parse().unwrap(),
        cached: head.ends_with('c'),
        body: if code.is_empty() {
            "<html>".to_owned()
        } else {
            format!(r#"{{"userMessageGlobalisationCode":"{code}"}}"#)
        },
        retry_after: None,
    }
}

#[test]
fn only_two_refusals_or_a_success_show_that_a_key_is_ignored() {
    for (first, second, expected) in [
        ("400 validation", "400c validation", ProbeVerdict::Honoured),
        (
            "400 validation",
            "400 validation",
            ProbeVerdict::NotHonoured,
        ),
        ("403 state", "400 validation", ProbeVerdict::NotHonoured),
        (
            "403 error.msg.data.integrity.issue",
            "403c error.msg.data.integrity.issue",
            ProbeVerdict::Honoured,
        ),
        (
            "403 error.msg.data.integrity.issue",
            "403 error.msg.data.integrity.issue",
            ProbeVerdict::NotHonoured,
        ),
        ("400 validation", "200", ProbeVerdict::NotHonoured),
        ("200", "", ProbeVerdict::NotHonoured),
        ("401 unauthenticated", "", ProbeVerdict::Inconclusive),
        (
            "403 error.msg.not.authorized",
            "",
            ProbeVerdict::Inconclusive,
        ),
        (
            "404 error.msg.loan.id.invalid",
            "",
            ProbeVerdict::Inconclusive,
        ),
        ("409 locked", "", ProbeVerdict::Inconclusive),
        ("503 scheduler", "", ProbeVerdict::Inconclusive),
        ("500 broken", "", ProbeVerdict::Inconclusive),
        ("403", "", ProbeVerdict::Inconclusive),
        (
            "400 validation",
            "401 unauthenticated",
            ProbeVerdict::Inconclusive,
        ),
        (
            "400 validation",
            "403 error.msg.not.authorized",
            ProbeVerdict::Inconclusive,
        ),
        (
            "400 validation",
            "503 scheduler",
            ProbeVerdict::Inconclusive,
        ),
        ("400 validation", "409 locked", ProbeVerdict::Inconclusive),
        ("400 validation", "403", ProbeVerdict::Inconclusive),
    ] {
        let verdict = ProbeVerdict::by_first(&answer(first))
            .unwrap_or_else(|| ProbeVerdict::by_second(&answer(second)));
        assert_eq!(verdict, expected, "{first}, {second}");
    }
}

#[test]
fn a_probe_is_sent_only_where_the_state_forbids_the_command() {
    for kind in FineractCommand::ALL {
        let allowed: &[i32] = match kind {
            FineractCommand::CreateClient
            | FineractCommand::UpdateClient
            | FineractCommand::CreateLoan => &[],
            FineractCommand::UpdateLoan
            | FineractCommand::ApproveLoan
            | FineractCommand::RejectLoan
            | FineractCommand::DeleteLoan
            | FineractCommand::WithdrawLoan => &[100],
            FineractCommand::DisburseLoan => &[200, 300, 600, 601, 602, 700],
            FineractCommand::UndoApproval | FineractCommand::UndoDisbursal => &[200],
            FineractCommand::RepayLoan => &[300, 600, 700],
        };
        if let ProbeSubject::Loan { states, left_by } = kind.subject() {
            assert!(
                states.iter().all(|state| !allowed.contains(state)),
                "{kind:?}"
            );
            assert!(!left_by.is_empty(), "{kind:?}");
        }
    }
}

#[test]
fn a_delete_and_an_undone_payout_are_never_probed() {
    for kind in FineractCommand::ALL {
        assert!(
            FineractCommand::PROBED.contains(&kind.probed_as()),
            "{kind:?}"
        );
        let probe = kind.probe(7);
        assert_ne!(probe.method, Method::Delete);
        assert!(!probe.path.contains("undodisbursal"), "{}", probe.path);
    }
    for (operation_type, kind) in [
        (OperationType::LoanDelete, FineractCommand::RejectLoan),
        (
            OperationType::LoanUndoDisbursal,
            FineractCommand::UndoApproval,
        ),
    ] {
        assert_eq!(FineractCommand::of(operation_type).probed_as(), kind);
        assert!(kind.types_probed().any(|of_kind| of_kind == operation_type));
    }
}
