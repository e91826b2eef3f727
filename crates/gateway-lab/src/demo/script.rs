//! The operations that the demo sends, and how each must end. They are the examples of document 001, with other ids,
//! and one example of each type that document 001 lacks. They are sent in an order in which they succeed.

use anyhow::Context as _;
use serde::Deserialize;
use serde_json::{json, value::RawValue};

use fineract_gateway::domain::OperationType::{
    self, ClientCreate, ClientUpdate, LoanApprove, LoanCreate, LoanDelete, LoanDisburse,
    LoanReject, LoanRepayment, LoanUndoApproval, LoanUndoDisbursal, LoanUpdate, LoanWithdraw,
};

/// The seven examples of document 001, and one example of each type that document 001 lacks.
const DOCUMENTS: &str = include_str!("documents.json");

/// A part of the demo.
#[derive(Debug)]
pub(super) struct Chapter {
    /// The title.
    pub(super) title: &'static str,
    /// Whether all steps are sent at once, without polling in between.
    pub(super) is_at_once: bool,
    /// The steps, in the order in which they are sent.
    pub(super) steps: Vec<Step>,
}

/// One operation.
#[derive(Clone, Debug)]
pub(super) struct Step {
    /// The client, loan or lender that is shown for this operation.
    pub(super) about: String,
    /// The body of the POST.
    pub(super) body: String,
    /// How the operation must end.
    pub(super) expected: Expected,
}

/// How an operation must end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expected {
    /// Fineract executes it.
    Success,
    /// Fineract refuses it.
    Refusal,
    /// The gateway refuses it without sending a command.
    RefusalUnsent,
}

/// The bodies of the examples. On a real Fineract, every run needs new ids, because the ids of earlier runs are already
/// used.
#[derive(Debug)]
pub(super) struct Examples {
    bodies: Vec<(OperationType, String)>,
    run: Option<u32>,
}

impl Examples {
    /// Reads the examples. If `run` is given (up to eight digits), all ids are unique to this run.
    pub(super) fn read(run: Option<u32>) -> anyhow::Result<Self> {
        #[derive(Deserialize)]
        struct Head {
            status: String,
        }
        let documents: Vec<&RawValue> =
            serde_json::from_str(DOCUMENTS).context("cannot read documents.json")?;
        let bodies = documents.into_iter().map(|body| {
            let Head { status } = serde_json::from_str(body.get())?;
            let operation_type = OperationType::from_name(&status)
                .with_context(|| format!("documents.json has {status}"))?;
            Ok((operation_type, body.get().to_owned()))
        });
        Ok(Self {
            bodies: bodies.collect::<anyhow::Result<_>>()?,
            run,
        })
    }

    /// The external id that this run uses in place of the id in the document.
    fn id(&self, id: &str) -> String {
        match self.run {
            Some(run) => format!("{id}-{run:08}"),
            None => id.to_owned(),
        }
    }

    /// The mobile number of a client. The first client has the number in the document. Fineract accepts each number
    /// only once.
    fn mobile(&self, client: u8) -> String {
        let second_digit = 10 - client;
        format!("9{second_digit}{:08}", self.run.unwrap_or(66_999_999))
    }

    /// The example of a type, for a client and a loan of this run.
    pub(super) fn step(&self, operation_type: OperationType, client: u8, loan: &str) -> Step {
        let example = self
            .bodies
            .iter()
            .find(|(known, _)| *known == operation_type);
        let body = example.map_or("", |(_, body)| body.as_str());
        let client_id = format!("INC-100{client}");
        let is_about_client = matches!(operation_type, ClientCreate | ClientUpdate);
        Step {
            body: body
                .replace("INC-1001", &self.id(&client_id))
                .replace("9966999999", &self.mobile(client))
                .replace("LOAN-123", &self.id(loan)),
            about: if is_about_client {
                client_id
            } else {
                loan.to_owned()
            },
            expected: Expected::Success,
        }
    }

    /// All chapters. One chapter creates a loan of each of these lenders.
    pub(super) fn script(&self, lenders: &[String]) -> Vec<Chapter> {
        let step = |operation_type, loan: &str| self.step(operation_type, 1, loan);
        let of_second = |operation_type| self.step(operation_type, 2, "LOAN-200");
        let by_each = (1..).zip(lenders).map(|(number, lender): (u32, _)| Step {
            about: lender.clone(),
            ..step(LoanCreate, &format!("LOAN-30{number}"))
                .with("\"UGRO\"", &json!(lender).to_string())
        });
        let chapter = |title, is_at_once, steps| Chapter {
            title,
            is_at_once,
            steps,
        };
        vec![
            chapter(
                "The documents' lifecycle, step by step",
                false,
                [
                    ClientCreate,
                    ClientUpdate,
                    LoanCreate,
                    LoanUpdate,
                    LoanApprove,
                    LoanDisburse,
                ]
                .map(|operation_type| step(operation_type, "LOAN-123"))
                .to_vec(),
            ),
            chapter(
                "Refused: a second approval by Fineract, a second disbursement by the gateway",
                false,
                vec![
                    step(LoanApprove, "LOAN-123").expecting(Expected::Refusal),
                    step(LoanDisburse, "LOAN-123")
                        .with("UTR-20260111-001", "UTR-20260111-002")
                        .expecting(Expected::RefusalUnsent),
                ],
            ),
            chapter(
                "A second loan, deleted before its approval",
                false,
                vec![step(LoanCreate, "LOAN-124"), step(LoanDelete, "LOAN-124")],
            ),
            chapter(
                "A loan of every lender, sent at once",
                true,
                by_each.collect(),
            ),
            chapter(
                "Another client and all four steps of a loan, sent at once, run in order",
                true,
                vec![
                    of_second(ClientCreate),
                    of_second(LoanCreate),
                    of_second(LoanApprove),
                    of_second(LoanDisburse).with("200000", "100000"),
                ],
            ),
            self.other_ways(),
        ]
    }

    /// The chapter about the types that document 001 lacks.
    fn other_ways(&self) -> Chapter {
        let steps = [
            (LoanCreate, "LOAN-125"),
            (LoanApprove, "LOAN-125"),
            (LoanUndoApproval, "LOAN-125"),
            (LoanReject, "LOAN-125"),
            (LoanCreate, "LOAN-126"),
            (LoanWithdraw, "LOAN-126"),
            (LoanRepayment, "LOAN-123"),
            (LoanUndoDisbursal, "LOAN-123"),
        ];
        Chapter {
            title: "Undone, rejected, withdrawn and repaid",
            is_at_once: false,
            steps: steps
                .map(|(operation_type, loan)| self.step(operation_type, 1, loan))
                .to_vec(),
        }
    }
}

impl Step {
    /// The same step, with one text in its body replaced by another.
    pub(super) fn with(self, text: &str, other: &str) -> Self {
        Self {
            body: self.body.replace(text, other),
            ..self
        }
    }

    fn expecting(self, expected: Expected) -> Self {
        Self { expected, ..self }
    }
}
