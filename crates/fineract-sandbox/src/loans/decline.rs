use super::{Loan, REJECTED, SUBMITTED, Stamp, WITHDRAWN, status, wrong_state};
use crate::books::Context;
use crate::failure::Failure;
use crate::json::object;
use crate::operations::{Input, Outcome};
use crate::params::{Checks, Params};

/// Rejects an application. This is final.
pub(crate) fn reject(context: &mut Context<'_>, input: &Input) -> Result<Outcome, Failure> {
    let loan = context.books.loan(input.id)?;
    let wrong =
        wrong_state("error.msg.loan.reject.account.is.not.submitted.pending.approval.state");
    let stamp = ending(context, loan, &input.params, "rejected", wrong)?;
    end(context, input, REJECTED, stamp)
}

/// Withdraws an application on behalf of its client. This is final.
pub(crate) fn withdraw(context: &mut Context<'_>, input: &Input) -> Result<Outcome, Failure> {
    let loan = context.books.loan(input.id)?;
    let wrong = Failure::rule("error.msg.loan.withdraw.cannot.withdraw", Vec::new());
    let stamp = ending(context, loan, &input.params, "withdrawn", wrong)?;
    end(context, input, WITHDRAWN, stamp)
}

/// Checks a rejection or withdrawal: the keys and the fields, the state of the loan, and the date. The date must be
/// neither before the submission of the application nor in the future.
fn ending(
    context: &Context<'_>,
    loan: &Loan,
    params: &Params,
    action: &str,
    wrong: Failure,
) -> Result<Stamp, Failure> {
    let name = format!("{action}OnDate");
    params.only(&[&name, "note", "locale", "dateFormat"])?;
    let mut checks = Checks::of("loanapplication");
    let on = params.date(&name)?;
    checks.required(&name, on);
    checks.longest("note", params.text("note").as_deref(), 1000);
    checks.finish()?;
    let on = on.unwrap_or(context.today);
    let command = action.strip_suffix("ed").unwrap_or("withdraw");
    if loan.status != SUBMITTED {
        return Err(wrong);
    }
    if on < loan.terms.submitted_on && action == "withdrawn" {
        // For such a date, Fineract answers 500 instead of a proper refusal (`docs/fineract/loans.md`, "Rejecting and
        // withdrawing").
        return Err(Failure::Unmapped("before the submission".to_owned()));
    }
    if on < loan.terms.submitted_on {
        let args = vec![
            on.to_string().into(),
            loan.terms.submitted_on.to_string().into(),
        ];
        return Err(Failure::rule(
            &format!("error.msg.loan.{command}.cannot.be.before.submittal.date"),
            args,
        ));
    }
    if on > context.today {
        let args = vec![on.to_string().into()];
        return Err(Failure::rule(
            &format!("error.msg.loan.{command}.cannot.be.a.future.date"),
            args,
        ));
    }
    Ok(Stamp {
        on,
        by: context.user.who.clone(),
    })
}

fn end(
    context: &mut Context<'_>,
    input: &Input,
    to: i64,
    stamp: Stamp,
) -> Result<Outcome, Failure> {
    let params = &input.params;
    let name = if to == REJECTED {
        "rejectedOnDate"
    } else {
        "withdrawnOnDate"
    };
    let date = params.text(name);
    let changes = object! {
        "status": status(to), "locale": params.text("locale"), "dateFormat": params.text("dateFormat"),
    };
    let changes = changes.with(name, date.clone()).with("closedOnDate", date);
    let loan = context.books.loan_mut(input.id)?;
    loan.status = to;
    let ended = if to == REJECTED {
        &mut loan.rejected
    } else {
        &mut loan.withdrawn
    };
    *ended = Some(stamp.clone());
    loan.closed = Some(stamp);
    Ok(loan.changed(changes))
}
