//! Leaves something on the operators' page that is worth looking at, and makes a link with which to sign in.

use anyhow::Context as _;
use serde::Deserialize;
use serde_json::json;

use super::{caller::Caller, screen, script::Examples, stage::Stage};
use fineract_gateway::domain::OperationType::{
    ClientCreate, LoanApprove, LoanCreate, LoanDisburse, LoanUpdate,
};

/// The loan whose change gets stuck.
const LOAN: &str = "LOAN-501";

/// The answer of `POST /ops/sign-in-links`.
#[derive(Deserialize)]
struct Link {
    path: String,
}

/// With the sandbox: leaves a loan whose change will be parked, an operation that waits behind it, and one that is on
/// hold. Then shows the address of the page, and the link.
pub(super) async fn play(
    caller: &Caller,
    stage: &Stage,
    examples: &Examples,
) -> anyhow::Result<()> {
    if let Some(sandbox) = stage.sandbox {
        for operation_type in [ClientCreate, LoanCreate] {
            let sent = caller
                .send(&examples.step(operation_type, 5, LOAN).body)
                .await?;
            caller.follow(&sent).await?;
        }
        let fault = json!([{ "match": { "method": "PUT", "path": "/loans/" }, "fault": "stuck" }]);
        caller
            .post(&format!("http://{sandbox}/sandbox/faults"), &fault)
            .await?;
        let mut last = None;
        for operation_type in [LoanUpdate, LoanApprove, LoanDisburse] {
            let step = examples.step(operation_type, 5, LOAN);
            last = Some(caller.send(&step.body).await?);
        }
        let last = last.context("three operations were sent")?;
        let reason = json!({ "reason": "bank holiday" });
        caller.operate_on(&last, "hold", &reason).await?;
    }
    let link: Link = serde_json::from_str(&caller.sign_in_link().await?)?;
    screen::show_title("The operators' page");
    let page = format!("http://{}", stage.address);
    screen::show_place("Page", &format!("{page}/ops"));
    screen::show_place("Sign in", &format!("{page}{}", link.path));
    screen::show_progress(
        "the link works once, within 15 minutes; after that: name ops, secret demo-ops-token",
    );
    if stage.sandbox.is_some() {
        screen::show_progress(&format!(
            "{LOAN} gets stuck in a few seconds: find out why, and decide"
        ));
    }
    Ok(())
}
