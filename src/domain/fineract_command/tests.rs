//! The list is complete, and each command is recognised by its request.

use super::*;

#[test]
fn every_command_is_known_by_its_request_and_has_a_task_of_its_own() {
    let mut tasks: Vec<_> = FineractCommand::ALL
        .iter()
        .map(|command| command.task())
        .collect();
    for command in FineractCommand::ALL {
        let request = command.request(9, None);
        assert_eq!(request.command(), Some(command), "{request:?}");
    }
    tasks.sort_unstable();
    tasks.dedup();
    assert_eq!(tasks.len(), FineractCommand::ALL.len());
}

#[test]
fn every_operation_type_has_a_command_of_its_own() {
    let types = OperationType::ALL.iter();
    let mut commands: Vec<_> = types.map(|it| FineractCommand::of(*it)).collect();
    commands.sort_unstable();
    let mut all = FineractCommand::ALL;
    all.sort_unstable();
    assert_eq!(commands, all);
}

#[test]
fn their_requests_are_those_that_fineract_takes() {
    for line in [
        "POST /clients CREATE CLIENT",
        "PUT /clients/7 UPDATE CLIENT",
        "POST /loans CREATE LOAN",
        "PUT /loans/9 UPDATE LOAN",
        "DELETE /loans/9 DELETE LOAN",
        "POST /loans/9?command=approve APPROVE LOAN",
        "POST /loans/9?command=undoapproval APPROVALUNDO LOAN",
        "POST /loans/9?command=disburse DISBURSE LOAN",
        "POST /loans/9?command=undodisbursal DISBURSALUNDO LOAN",
        "POST /loans/9/transactions?command=repayment REPAYMENT LOAN",
        "POST /loans/9?command=reject REJECT LOAN",
        "POST /loans/9?command=withdrawnByApplicant WITHDRAW LOAN",
    ] {
        let words: Vec<&str> = line.split(' ').collect();
        let method = Method::from_name(words[0]).unwrap();
        let command = FineractCommand::of_request(method, words[1]);
        let task = command.map(FineractCommand::task);
        assert_eq!(task, Some((words[2], words[3])), "{line}");
    }
    for (method, path) in [
        (Method::Get, "/loans/9"),
        (Method::Post, "/loans/9?command=close"),
        (Method::Post, "/loans/9/charges"),
        (Method::Delete, "/clients/7"),
        (Method::Post, "/"),
    ] {
        assert_eq!(FineractCommand::of_request(method, path), None, "{path}");
    }
}
