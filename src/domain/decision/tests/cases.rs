//! The cases as tables: what happened, in the notation of [`attempts`](super::attempts), and what is decided.

/// The answer to a first attempt: its description, the answer, the decision, and the rule.
pub(super) const FIRST: &str = "
no connection: nothing was sent | unreachable | same key: fineract_unreachable | 18
no answer in time | timeout | same key: answer_timed_out | 18
the connection was closed before a complete answer | closed | same key: connection_closed | 18
success | done | succeeded | 18
a stored success | done-c | succeeded | 18
a stored success with every key, nulls included | nulls-c | succeeded | 12.4
a success about another loan | another | park: answer_about_another | 12.1
a stored success about another loan | another-c | park: answer_about_another | 18
200 with an incomplete body | 200:garbage | same key: unreadable_success | issue
200 without an id | 200:{} | same key: success_without_id | issue
201 or 204, which Fineract never answers | 204 | same key: unreadable_success | 4.1
200 with rollbackTransaction | pending | wait for the checker | 18
a redirect | 302 | blocked if a probe fails too: redirected | 18
400 without a code (tenant) | 400 | blocked if a probe fails too: bad_request_without_code | 18
400 validation | 400:rule | refused | 18
400 unsupported parameter | 400:error.msg.parameter.unsupported | refused | 18
400 JSON that Fineract cannot parse | 400:error.msg.invalid.json | refused | 18
400 approve: not pending | 400:error.msg.loan.approve.account.is.not.submitted.and.pending.state | refused | 18
400 disburse: not approved, or already disbursed | 400:error.msg.loan.disbursal.account.is.not.approve.not.disbursed.state | refused | 18
400 reject: wrong state | 400:error.msg.loan.reject.account.is.not.submitted.pending.approval.state | refused | 18
400 repayment: wrong state | 400:error.msg.loan.must.be.active.fully.paid.or.overpaid | refused | 18
400 password expired | 400:error.msg.password.outdated | blocked if a probe fails too: password_expired | 18
401 | 401 | blocked if a probe fails too: unauthenticated | 18
401 in the envelope | 401:error.msg.not.authenticated | blocked if a probe fails too: unauthenticated | 18
403 no permission | 403:not-authorized | the type is blocked: permission_missing | 18
403 no permission, from the command's handler and stored | 403c:not-authorized | the type is blocked: permission_missing | 5.2
403 a rule on dates or amounts | 403:error.msg.loan.approval.cannot.be.a.future.date | refused | 18
403 client is not active | 403:error.msg.client.not.active.exception | refused | 18
403 client exists | 403:error.msg.client.duplicate.externalId | refused | 18
403 mobile number exists | 403:error.msg.client.duplicate.mobileNo | refused | 18
403 loan exists | 403:error.msg.loan.with.externalId.already.used | refused | 18
403 payment exists | 403:error.msg.loan.disbursement.duplicate.externalId | refused | 18
400 transaction exists | 400:validation.msg.loan.transaction.externalId.value.must.be.unique | refused | 18
403 amount exceeds the approved amount | 403:error.msg.loan.disburse.amount.must.be.less.than.approved.amount | refused | 18
403 database: data integrity | 403:error.msg.data.integrity.issue | same key: database_spoke | 18
403 database: data integrity, stored | 403c:error.msg.data.integrity.issue | read: is there an effect although the command failed? | 18
403 database: persistence | 403:error.msg.persistence.error | same key: database_spoke | 18
403 without a code (firewall) | 403:html | blocked if a probe fails too: forbidden_without_code | 1.3
404 client or loan not found | 404:error.msg.loan.id.invalid | refused | 18
404 product not found | 404:error.msg.loanproduct.id.invalid | the lender is blocked: lender_unready | 18
404 office not found | 404:error.msg.office.id.invalid | the type is blocked: office_missing | 18
404 payment type not found | 404:error.msg.payment.type.invalid | the type is blocked: payment_type_missing | 18
404 repayment strategy not found | 404:error.msg.transactions.processing.strategy.code.invalid | the lender is blocked: lender_unready | 18
404 without Fineract's body | 404 | blocked if a probe fails too: no_such_path | 18
405 this server is read-only | 405:error.msg.invalid.instance.type | same key: read_only_server | 18
405 method not allowed | 405 | blocked if a probe fails too: no_such_path | 1.3
408, 501, 502, 504 and similar statuses of a proxy | 502 | same key: gateway_error | 18
501 | 501 | same key: gateway_error | 18
524 of a proxy: the answer took too long | 524 | same key: gateway_error | 18
409 loan is locked by the nightly job | 409:error.msg.loan.locked | same key: locked_in_fineract | 18
409 a lock that nobody may override | 409:error.msg.invalid.request.body | same key: locked_in_fineract | 2.2
409 other requests wrote at the same time, in all three tries | 409:conflict | read: is there an effect although other requests wrote? | 18
409 without a code | 409 | same key: refused_without_code | 18
a stored 409: between Fineract's own retries | 409c:conflict | same key: between_retries | 12.3
415 | 415 | park: unclassified_answer | 18
425 | 425c | same key: still_running | 18
429 of a proxy | 429 | same key: too_many_requests | 18
500, not stored | 500 | same key: failed_inside_fineract | 18
500 in the envelope, not stored | 500:error.msg.platform.server.side.error | same key: failed_inside_fineract | 18
500, stored | 500c:html | read: is there an effect although the command failed? | 18
a stored refusal without its body | 400c:empty | read: is there an effect although the command failed? | 12.4
503 without a code | 503 | same key: service_unavailable | 18
503 a scheduler job is running | 503:error.msg.sheduler.job.currently.running | same key: locked_in_fineract | 18
503 with any other code | 503:error.msg.loan.status.not.written.off.update.not.allowed | refused | 18
an unknown status | 999 | park: unclassified_answer | issue
";

/// An answer after earlier attempts: its description, the attempts in their order, the decision on the last one, and
/// the rule.
pub(super) const LATER: &str = r#"
timeout, then the stored success | timeout@40 done-c | succeeded | 12.5
a success arrived after the worker had lost its claim; then any answer | done@40 403:already | succeeded | DESIGN
timeout, then 425 | timeout@40 425c | same key: still_running | 12.5
425 three times, but not for long enough | timeout@400 425c@290 425c@200 425c | same key: still_running | issue
425 for long enough, but only twice | timeout@400 425c@310 425c | same key: still_running | issue
425 for long enough, three times | timeout@400 425c@310 425c@100 425c | read: was the command executed although its key has not ended? | 12.5
425 and then stored 409s, for long enough, three times | 425c@310 409c:conflict@100 409c:conflict | read: was the command executed although its key has not ended? | DESIGN
sent long ago, but answered with 425 only recently | open@9000 timeout@8000 425c@20 425c@10 425c | same key: still_running | issue
425 long ago under an earlier key does not count | 425c@900 k2-425c@100 k2-425c@50 k2-425c | same key: still_running | issue
timeout, then refused under the same key, not stored: Fineract executed the command only now | timeout@40 400:rule | refused | 12.5
timeout, then a stored refusal | timeout@40 403c:already | refused | 12.5
timeout, then "exists already", not stored | timeout@40 403:already | read: is the existing effect the operation's own? | DESIGN
425, then "exists already", not stored: Fineract had forgotten the key | 425c@40 403:already | read: is the existing effect the operation's own? | DESIGN
200 with an incomplete body, then "exists already" | 200:garbage@40 403:already | read: is the existing effect the operation's own? | DESIGN
the gateway's process died, then "exists already" | open@40 403:already | read: is the existing effect the operation's own? | DESIGN
not connected, then "exists already": it cannot be the operation's own effect | unreachable@40 403:already | refused | DESIGN
the result of an earlier key is unknown; "exists already" | timeout@900 425c@400 k2-403:already | read: is the existing effect the operation's own? | DESIGN
the result of an earlier key is unknown; "exists already", stored | timeout@900 k2-timeout@40 k2-403c:already | read: is the existing effect the operation's own? | DESIGN
the result of an earlier key is unknown; any other refusal | timeout@900 k2-400:rule | read: is the existing effect the operation's own? | DESIGN
the result of an earlier key is unknown; success | timeout@900 k2-done | succeeded | 12.5
an earlier key has ended in a 500; "exists already" | 500@90 500c@60 k2-403:already | read: is the existing effect the operation's own? | DESIGN
an earlier key has ended in a 500; any other refusal | 500@90 500c@60 k2-400:rule | read: is the existing effect the operation's own? | DESIGN
an earlier key has ended in a 500; not found | 500@90 500c@60 k2-404:error.msg.loan.id.invalid | read: was the command executed although the key was not checked? | DESIGN
Fineract could not be read after the stored 500; not found | 500@90 500c@60 404:error.msg.loan.id.invalid | read: was the command executed although the key was not checked? | DESIGN
an earlier key has ended in a conflict; "exists already" | 409:conflict@90 k2-403:already | read: is the existing effect the operation's own? | DESIGN
an earlier key was refused, and reading did not explain it; "exists already" | timeout@900 403:already@600 k2-403:already | read: is the existing effect the operation's own? | DESIGN
an earlier key was refused because a permission is missing; "exists already": it cannot be the operation's own effect | 403c:not-authorized@90 k2-403:already | refused | DESIGN
timeout, then 404 before the key is checked | timeout@40 404:error.msg.loan.id.invalid | read: was the command executed although the key was not checked? | 18
timeout, then a stored 404 | timeout@40 404c:error.msg.client.id.invalid | refused | 12.3
timeout, then JSON that Fineract cannot parse | timeout@40 400:error.msg.invalid.request.body | read: was the command executed although the key was not checked? | 12.2
a broken connection's 400, then 404 | 400:empty@40 404:error.msg.loan.id.invalid | read: was the command executed although the key was not checked? | 18
a firewall's 403, then 404 | 403:html@40 404:error.msg.loan.id.invalid | read: was the command executed although the key was not checked? | 18
no permission, then 404: nothing was executed | 403:not-authorized@40 404:error.msg.loan.id.invalid | refused | 12.2
timeout, then 403 no permission | timeout@40 403:not-authorized | the type is blocked: permission_missing | DESIGN
timeout, then 400 password expired | timeout@40 400:error.msg.password.outdated | blocked if a probe fails too: password_expired | DESIGN
timeout, then 409 locked | timeout@40 409:error.msg.loan.locked | same key: locked_in_fineract | DESIGN
500, then the stored 500 | 500@40 500c | read: is there an effect although the command failed? | 18
timeout, then 500 before the key is checked | timeout@40 500 | same key: failed_inside_fineract | 18
waits for a checker, and its audit cannot be seen; then 425 | pending@90 425c | same key: still_running | 22.4
"#;

/// The decision after a reading: the question, the finding, the attempts, what else is known, and the decision. What
/// may be known: a late first command is `harmless`; `others` (other operations) have succeeded; Fineract has been `up`
/// for this number of seconds.
pub(super) const READINGS: &str = "
AlreadyThere | Ours | timeout@40 403:already | harmless | succeeded
AlreadyThere | NotOurs | timeout@40 403:already | harmless | refused
AlreadyThere | CannotTell | timeout@40 403:already | harmless | park: evidence_cannot_tell
AlreadyThere | Absent | timeout@40 403:already | harmless | same key: refused_but_absent
AlreadyThere | NotOurs | timeout@900 k2-403:already | harmless | same key: an_attempt_may_still_run
AlreadyThere | Absent | timeout@900 k2-400:rule | harmless | same key: an_attempt_may_still_run
AlreadyThere | NotOurs | timeout@900 k2-403:already | harmless up:600 | refused
AlreadyThere | Absent | timeout@900 k2-400:rule | harmless up:600 | refused
AlreadyThere | Absent | open@900 k2-400:rule | harmless up:600 | same key: an_attempt_may_still_run
BeforeTheKey | Ours | timeout@40 404:error.msg.loan.id.invalid | harmless | succeeded
BeforeTheKey | Absent | timeout@40 404:error.msg.loan.id.invalid | harmless | same key: an_attempt_may_still_run
BeforeTheKey | Absent | timeout@900 404:error.msg.loan.id.invalid | harmless up:600 | refused
Stuck | Ours | timeout@400 425c@310 425c@100 425c |  | succeeded
Stuck | NotOurs | timeout@400 425c@310 425c@100 425c | harmless | same key: an_attempt_may_still_run
Stuck | CannotTell | timeout@400 425c@310 425c@100 425c | harmless | park: evidence_cannot_tell
Stuck | Absent | timeout@400 425c@310 425c@100 425c | harmless | new key: left_without_effect
Stuck | Absent | timeout@400 425c@310 425c@100 425c |  | same key: an_attempt_may_still_run
Stuck | Absent | timeout@9000 425c@8000 425c@5000 425c |  | same key: an_attempt_may_still_run
Stuck | Absent | timeout@900 425c@310 425c@100 425c | up:600 | new key: left_without_effect
Stuck | Absent | open@900 425c@310 425c@100 425c | up:600 | new key: left_without_effect
Stuck | Absent | timeout@900 425c@310 425c@100 425c | up:30 | same key: an_attempt_may_still_run
Stuck | Absent | timeout@650 425c@310 425c@100 425c | up:600 | same key: an_attempt_may_still_run
Stuck | Absent | timeout@900 timeout@310 425c@305 425c@100 425c | up:600 | same key: an_attempt_may_still_run
Stuck | Absent | 425c@900 425c@100 425c | up:600 | new key: left_without_effect
Failed | Ours | 500@40 500c |  | succeeded
Failed | Absent | 500@40 500c | others | new key: failed_inside_fineract
Failed | Absent | 500@90 500c@60 k2-500@30 k2-500c |  | new key: failed_inside_fineract
Failed | Absent | 500@90 500c@60 k2-500@30 k2-500c | others | refused
Failed | Absent | 403:database@90 403c:database@60 k2-403c:database | others | refused
Failed | Absent | timeout@900 k2-500c@60 k3-500c | harmless others | new key: failed_inside_fineract
Failed | NotOurs | 500@40 500c | harmless | refused
Conflicted | Absent | 409:conflict |  | new key: written_by_others
Conflicted | Absent | 409:conflict@90 k2-409:conflict | others | new key: written_by_others
Conflicted | Ours | 409:conflict |  | succeeded
AlreadyThere | Ours | 500@90 500c@60 k2-403:already | harmless others | succeeded
AlreadyThere | NotOurs | 500@90 500c@60 k2-403:already | harmless others | refused
AlreadyThere | Absent | 500@90 500c@60 k2-403:already | harmless others | refused
BeforeTheKey | Ours | 500@90 500c@60 404:error.msg.loan.id.invalid | others | succeeded
BeforeTheKey | Absent | 500@90 500c@60 404:error.msg.loan.id.invalid | others | refused
Closing | Ours | 500@90 500c |  | succeeded
Closing | NotOurs | 500@90 500c |  | refused
Closing | Absent | 500@90 500c |  | refused
Closing | CannotTell | 500@90 500c |  | park: evidence_cannot_tell
Closing | Absent | timeout@40 |  | same key: an_attempt_may_still_run
Closing | Absent | timeout@900 | up:600 | refused
Closing | Absent | timeout@900 425c@400 k2-500@60 k2-500c | harmless | same key: an_attempt_may_still_run
Forgotten | Ours | timeout@2505600 |  | succeeded
Forgotten | NotOurs | timeout@2505600 |  | same key: an_attempt_may_still_run
Forgotten | Absent | timeout@2505600 |  | same key: an_attempt_may_still_run
Forgotten | Absent | timeout@2505600 | harmless | new key: key_forgotten
Forgotten | Absent | timeout@2505600 | up:600 | new key: key_forgotten
Forgotten | CannotTell | timeout@2505600 |  | park: evidence_cannot_tell
";

/// A command that was submitted to a checker: what its audit showed before its key was sent, the attempts, and the
/// decision.
pub(super) const CHECKERS: &str = "
Unchecked | pending@90 425c | wait for the checker
Unchecked | pending@90 403:error.msg.data.integrity.issue | wait for the checker
Unchecked | pending@90 400c:rule | refused
Unchecked | pending@90 403c:already | read: is the existing effect the operation's own?
Unchecked | pending@90 500c:html | read: is there an effect although the command failed?
Unchecked | pending@90 done-c | succeeded
Unchecked | pending@90 pending | wait for the checker
Unchecked | pending@90 timeout | same key: answer_timed_out
Checked | pending@90 done-c | succeeded
Checked | pending@90 nulls-c | succeeded
Checked | pending@90 425c | failed: rejected_by_checker
Checked | pending@90 403:error.msg.data.integrity.issue | failed: rejected_by_checker
Checked | timeout@90 pending@60 425c | failed: rejected_by_checker
Checked | timeout@900 k2-pending@90 k2-425c | same key: awaiting_checker_unseen
Checked | pending@90 404:error.msg.loan.id.invalid | read: was the command executed although the key was not checked?
Checked | pending@90 403:not-authorized | the type is blocked: permission_missing
Checked | pending@90 409:locked | same key: locked_in_fineract
Checked | pending@90 409c:conflict | same key: between_retries
Checked | pending@90 502 | same key: gateway_error
";

/// Splits the lines of a table into their cells.
pub(super) fn rows<const N: usize>(table: &str) -> impl Iterator<Item = [&str; N]> {
    table.trim().lines().map(|line| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        cells
            .try_into()
            .unwrap_or_else(|_| panic!("{N} cells: {line}"))
    })
}
