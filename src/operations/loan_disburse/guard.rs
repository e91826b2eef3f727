//! The guard of a disbursement. It is needed because Fineract itself does not prevent a payout of more than the
//! approved amount.

use crate::{
    domain::{Amount, Loan, total},
    operations::Refusal,
};

/// The status of a loan that was disbursed and is active.
const ACTIVE: i32 = 300;

/// Returns the amount to pay. This is the requested amount. If no amount was requested, it is the amount of the next
/// tranche, and without tranches the approved principal. Refuses a payment that Fineract would wrongly execute
/// (`docs/fineract/payments.md`, "Paying beyond the tranches").
///
/// The amount paid so far is computed from the transactions only, because the totals in the loan omit payments beyond
/// the tranches.
pub(super) fn amount_to_pay(loan: &Loan, asked: Option<Amount>) -> Result<Amount, Refusal> {
    #[cfg(feature = "sabotage")]
    if crate::sabotage::is(crate::sabotage::Sabotage::GuardOff) {
        return Ok(asked.unwrap_or(loan.approved_principal));
    }
    if loan.status.id == ACTIVE && loan.disbursements().next().is_none() {
        return refuse(
            "disbursements_unreadable",
            "Not sent: Fineract calls the loan active, but lists no disbursement of it",
        );
    }
    let in_tranches = loan.multi_disburse_loan && !loan.disallow_expected_disbursements;
    let next = loan
        .disbursement_details
        .iter()
        .filter(|tranche| in_tranches && tranche.actual_disbursement_date.is_none())
        .min_by_key(|tranche| tranche.expected_disbursement_date);
    if in_tranches && next.is_none() {
        return refuse(
            "no_open_tranche",
            "Not sent: every tranche of the loan is paid out",
        );
    }
    let amount = asked
        .or(next.map(|tranche| tranche.principal))
        .unwrap_or(loan.approved_principal);
    if amount <= Amount::ZERO {
        return refuse(
            "nothing_to_pay",
            "Not sent: the loan has no principal to pay out",
        );
    }
    if total([loan.paid(), amount].into_iter()) > loan.approved_principal {
        return refuse(
            "exceeds_approved_principal",
            "Not sent: this disbursement and the amount that is already paid out would together exceed the approved principal",
        );
    }
    Ok(amount)
}

fn refuse(code: &'static str, message: &str) -> Result<Amount, Refusal> {
    Err(Refusal {
        code,
        message: message.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operations::testing;

    const APPROVED: (&str, &str) = ("\"id\":100,", "\"id\":200,");
    const ACTIVE: (&str, &str) = ("\"id\":100,", "\"id\":300,");
    const MULTI: (&str, &str) = ("\"multiDisburseLoan\":false", "\"multiDisburseLoan\":true");

    const TOO_MUCH: &str = "exceeds_approved_principal";
    const CLOSED: &str = "no_open_tranche";

    fn loan(parts: &[(&str, &str)], transactions: &[String]) -> Loan {
        let list = format!(r#""transactions":[{}]"#, transactions.join(","));
        let parts = [parts, &[("\"transactions\":[]", list.as_str())]].concat();
        testing::loan(&parts).loan.unwrap()
    }

    /// A loan of 100,000 with tranches of 60,000 and 40,000. The first `paid` tranches are paid.
    fn in_tranches(status: (&str, &str), paid: i32, transactions: &[String]) -> Loan {
        let day = |number| {
            if number <= paid {
                r#""actualDisbursementDate":[2024,1,11],"#
            } else {
                ""
            }
        };
        let tranches = format!(
            r#""disbursementDetails":[
                {{"id":2,"expectedDisbursementDate":[2024,3,10],{}"principal":40000.000000}},
                {{"id":1,"expectedDisbursementDate":[2024,1,10],{}"principal":60000.000000}}]"#,
            day(2),
            day(1)
        );
        let parts = [
            status,
            MULTI,
            ("\"disbursementDetails\":[]", tranches.as_str()),
        ];
        loan(&parts, transactions)
    }

    fn paid(amount: &str) -> String {
        format!(
            r#"{{"id":1,"type":{{"id":1,"disbursement":true}},"amount":{amount},
                "manuallyReversed":false}}"#
        )
    }

    /// The amount to pay, or the code of the refusal.
    fn guarded(loan: &Loan, asked: Option<&str>) -> String {
        let asked = asked.map(|amount| Amount::from_json_number(amount).unwrap());
        match amount_to_pay(loan, asked) {
            Ok(amount) => amount.to_string(),
            Err(refusal) => refusal.code.to_owned(),
        }
    }

    #[test]
    fn no_more_is_paid_than_was_approved() {
        let plain = loan(&[APPROVED], &[]);
        let lowered = ("approvedPrincipal\":100000", "approvedPrincipal\":80000");
        let lowered = loan(&[APPROVED, lowered], &[]);
        let empty = ("approvedPrincipal\":100000.000000", "approvedPrincipal\":0");
        let empty = loan(&[APPROVED, empty], &[]);
        let unplanned = (
            "disallowExpectedDisbursements\":false",
            "disallowExpectedDisbursements\":true",
        );
        let unplanned = loan(&[APPROVED, MULTI, unplanned], &[]);
        let whole = loan(&[ACTIVE], &[paid("100000.000000")]);
        let part = loan(&[ACTIVE], &[paid("60000.000000")]);
        for (loan, asked, expected) in [
            (&plain, None, "100000.000000"),
            (&plain, Some("40000"), "40000"),
            (&plain, Some("100000.00"), "100000.00"),
            (&plain, Some("100000.01"), TOO_MUCH),
            (&whole, None, TOO_MUCH),
            (&whole, Some("0.01"), TOO_MUCH),
            (&part, Some("40000"), "40000"),
            (&part, Some("40000.01"), TOO_MUCH),
            (&lowered, None, "80000.000000"),
            (&lowered, Some("80000.01"), TOO_MUCH),
            (&empty, None, "nothing_to_pay"),
            (&unplanned, Some("30000"), "30000"),
            (&unplanned, None, "100000.000000"),
            // Not approved yet: Fineract refuses this itself.
            (&loan(&[], &[]), None, "100000.000000"),
        ] {
            assert_eq!(guarded(loan, asked), expected, "{asked:?} of {loan:?}");
        }
    }

    /// Every row of `docs/fineract/payments.md`, "Paying beyond the tranches".
    #[test]
    fn nothing_is_paid_without_an_open_tranche() {
        let (first, second) = (paid("60000.000000"), paid("40000.000000"));
        let undone = second.replace("false}", "false,\"reversedOnDate\":[2024,3,11]}");
        let reversed = second.replace("false}", "true}");
        let accrual = first.replace("\"id\":1,\"dis", "\"id\":10,\"dis");
        let list = |transactions: &[&String]| {
            transactions
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
        };
        let one = in_tranches(ACTIVE, 1, &list(&[&first]));
        let both = in_tranches(ACTIVE, 2, &list(&[&first, &second]));
        let little = in_tranches(ACTIVE, 2, &list(&[&second]));
        let fresh = in_tranches(APPROVED, 0, &[]);
        let others = in_tranches(ACTIVE, 1, &list(&[&first, &second]));
        let not_counted = in_tranches(ACTIVE, 1, &list(&[&first, &undone, &reversed]));
        let accrued = in_tranches(ACTIVE, 1, &list(&[&second, &accrual]));
        for (loan, asked, expected) in [
            (&fresh, None, "60000.000000"),
            // More than the tranche: as long as a tranche is open, Fineract checks this itself.
            (&fresh, Some("70000"), "70000"),
            (&fresh, Some("100000.01"), TOO_MUCH),
            (&one, None, "40000.000000"),
            (&one, Some("40000.01"), TOO_MUCH),
            (&both, None, CLOSED),
            (&both, Some("1"), CLOSED),
            (&little, None, CLOSED),
            (&little, Some("1"), CLOSED),
            (&others, None, TOO_MUCH),
            (&not_counted, None, "40000.000000"),
            (&accrued, Some("60000"), "60000"),
            (
                &in_tranches(ACTIVE, 1, &[]),
                None,
                "disbursements_unreadable",
            ),
        ] {
            assert_eq!(guarded(loan, asked), expected, "{asked:?} of {loan:?}");
        }
    }
}
