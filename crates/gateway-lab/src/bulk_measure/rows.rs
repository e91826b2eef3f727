//! The rows of a batch that is measured: client, loan, approval and payout of one borrower after another.

const COLUMNS: &str = "status,externalId,firstname,lastname,activationDate,lenderConfig,principal,submittedOnDate,\
    loanTermFrequency,numberOfRepayments,interestRatePerPeriod,clientId,external_loan_id,approvedOnDate,\
    actualDisbursementDate,transactionAmount";
const LENDERS: [&str; 4] = ["UGRO", "DMI", "VIVRITI", "IKF"];
/// Operations of one borrower.
const STEPS: u64 = 4;
/// Of so many payouts one is dated before its approval, and fails.
const FAILING: u64 = 25;

/// The rows of a batch.
pub(super) struct Rows<'a> {
    /// What their ids begin with: nothing else does.
    name: &'a str,
    /// How many.
    pub(super) count: u64,
}

impl<'a> Rows<'a> {
    pub(super) fn new(name: &'a str, count: u64) -> Self {
        Self { name, count }
    }

    /// All of them, as CSV.
    pub(super) fn table(&self) -> String {
        let rows = (1..=self.count).map(|number| self.row(number, !Self::fails(number)));
        std::iter::once(format!("{COLUMNS}\n"))
            .chain(rows)
            .collect()
    }

    /// The numbers of those that fail as they are.
    pub(super) fn failing(&self) -> impl Iterator<Item = u64> {
        (1..=self.count).filter(|number| Self::fails(*number))
    }

    /// Those that fail, corrected, as `bulk retry` takes them.
    pub(super) fn corrected(&self) -> String {
        let rows = self
            .failing()
            .map(|number| format!("{number},{}", self.row(number, true)));
        std::iter::once(format!("id,{COLUMNS}\n"))
            .chain(rows)
            .collect()
    }

    fn fails(number: u64) -> bool {
        number.is_multiple_of(STEPS * FAILING)
    }

    /// A row; of a payout, whether its date is not too early.
    fn row(&self, number: u64, is_in_time: bool) -> String {
        let borrower = (number - 1) / STEPS;
        let name = self.name;
        let client = format!("{name}-C-{borrower}");
        let loan = format!("{name}-L-{borrower}");
        let lender = usize::try_from(borrower).map_or(0, |borrower| borrower % LENDERS.len());
        let lender = LENDERS.get(lender).copied().unwrap_or_default();
        let day = if is_in_time { 11 } else { 10 };
        match (number - 1) % STEPS {
            0 => format!("CLIENT_CREATE,{client},Load,Test,01 January 2026,,,,,,,,,,,\n"),
            1 => format!(
                "LOAN_CREATE,{loan},,,,{lender},100000,09 January 2026,12,12,8,{client},,,,\n"
            ),
            2 => format!("LOAN_APPROVE,,,,,,,,,,,,{loan},11 January 2026,,\n"),
            _ => format!("LOAN_DISBURSE,,,,,,,,,,,,{loan},,{day} January 2026,100000.00\n"),
        }
    }
}
