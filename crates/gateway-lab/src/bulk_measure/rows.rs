//! The generated rows. Each borrower has four rows: client, loan, approval and disbursement.

const COLUMNS: &str = "status,externalId,firstname,lastname,activationDate,lenderConfig,principal,submittedOnDate,\
    loanTermFrequency,numberOfRepayments,interestRatePerPeriod,clientId,external_loan_id,approvedOnDate,\
    actualDisbursementDate,transactionAmount";
const LENDERS: [&str; 4] = ["UGRO", "DMI", "VIVRITI", "IKF"];
/// The number of operations of one borrower.
const STEPS: u64 = 4;
/// One of this many disbursements has a date before its approval, and therefore fails.
const FAILING: u64 = 25;

/// The rows of a batch.
pub(super) struct Rows<'a> {
    /// The prefix of the external ids of the rows, which is unique to this batch.
    name: &'a str,
    /// The number of rows.
    pub(super) count: u64,
}

impl<'a> Rows<'a> {
    pub(super) fn new(name: &'a str, count: u64) -> Self {
        Self { name, count }
    }

    /// All rows, as CSV.
    pub(super) fn table(&self) -> String {
        let rows = (1..=self.count).map(|number| self.row(number, !Self::fails(number)));
        std::iter::once(format!("{COLUMNS}\n"))
            .chain(rows)
            .collect()
    }

    /// The numbers of the rows that fail.
    pub(super) fn failing(&self) -> impl Iterator<Item = u64> {
        (1..=self.count).filter(|number| Self::fails(*number))
    }

    /// The failing rows with their corrections, as CSV for `POST /bulk/retry`.
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

    /// The row with this number. `is_in_time` decides whether a disbursement has a valid date.
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
