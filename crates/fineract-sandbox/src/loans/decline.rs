use super::{Loan, REJECTED, SUBMITTED, Stamp, WITHDRAWN, status, wrong_state};
use crate::books::Desk;
use crate::failure::Failure;
use crate::json::object;
use crate::operations::{Order, Outcome};
use crate::params::{Checks, Params};

/// Rejects an application, for good.
pub(crate) fn reject(desk: &mut Desk<'_>, order: &Order) -> Result<Outcome, Failure> {
    let loan = desk.books.loan(order.id)?;
    let wrong =
        wrong_state("error.msg.loan.reject.account.is.not.submitted.pending.approval.state");
    let stamp = ending(desk, loan, &order.params, "rejected", wrong)?;
    end(desk, order, REJECTED, stamp)
}

/// Withdraws an application for its client, for good.
pub(crate) fn withdraw(desk: &mut Desk<'_>, order: &Order) -> Result<Outcome, Failure> {
    let loan = desk.books.loan(order.id)?;
    let wrong = Failure::rule("error.msg.loan.withdraw.cannot.withdraw", Vec::new());
    let stamp = ending(desk, loan, &order.params, "withdrawn", wrong)?;
    end(desk, order, WITHDRAWN, stamp)
}

/// The checks of an ending: its date, the state, and the date against the application's.
fn ending(
    desk: &Desk<'_>,
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
    let on = on.unwrap_or(desk.today);
    let command = action.strip_suffix("ed").unwrap_or("withdraw");
    if loan.status != SUBMITTED {
        return Err(wrong);
    }
    if on < loan.terms.submitted_on && action == "withdrawn" {
        // Fineract trips over its own refusal (`docs/fineract/loans.md`, "Rejecting and withdrawing").
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
    if on > desk.today {
        let args = vec![on.to_string().into()];
        return Err(Failure::rule(
            &format!("error.msg.loan.{command}.cannot.be.a.future.date"),
            args,
        ));
    }
    Ok(Stamp {
        on,
        by: desk.user.who.clone(),
    })
}

fn end(desk: &mut Desk<'_>, order: &Order, to: i64, stamp: Stamp) -> Result<Outcome, Failure> {
    let params = &order.params;
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
    let loan = desk.books.loan_mut(order.id)?;
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
