//! Reports the stored verdicts on idempotency keys. `doctor` itself runs no key probe, because each probe leaves a
//! failed row in Fineract (`docs/adr/0038-doctor-only-reads.md`).

use super::report::Report;
use crate::{domain::FineractCommand, fineract::Process, store::LastVerdict};

const HEADER: &str = "fineract.idempotency_header";

/// What a stored verdict shows about the Fineract that answers now.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Honoured,
    Ignored,
    /// There is no verdict on this header and this process of Fineract.
    None,
}

/// Reports each kind of command, and from these the header. `header` is the setting, in lower case.
pub(super) fn check(
    report: &mut Report,
    header: &str,
    verdicts: Option<&[LastVerdict]>,
    process: Option<&Process>,
) {
    let found = FineractCommand::PROBED.map(|kind| {
        let last = verdicts.unwrap_or_default().iter();
        let last = last.filter(|last| last.command == kind.probe_name());
        last.map(|last| verdict(last, header, process))
            .next()
            .unwrap_or(Verdict::None)
    });
    let has = |verdict| found.contains(&verdict);
    if has(Verdict::Honoured) {
        report.fine(HEADER, format!("Fineract reads keys from {header}"));
    } else if has(Verdict::Ignored) {
        report.wrong(
            HEADER,
            format!("Fineract has honoured no key in {header}"),
            "set FINERACT_IDEMPOTENCY_HEADER to the value of Fineract's FINERACT_IDEMPOTENCY_KEY_HEADER_NAME",
        );
    } else {
        report.not_known(HEADER, format!("no verdict yet on keys in {header}"));
    }
    for (kind, verdict) in FineractCommand::PROBED.into_iter().zip(found) {
        let check = format!("fineract.keys.{}", kind.probe_name());
        match verdict {
            Verdict::Honoured => report.fine(check, "Fineract honours the keys of these commands"),
            Verdict::Ignored => report.wrong(
                check,
                "Fineract ignores the keys of these commands, so the gateway does not send them",
                "docs/OPERATING.md, \"Keys ignored\"",
            ),
            Verdict::None if verdicts.is_none() => {
                report.not_known(check, "the stored verdicts cannot be read");
            }
            Verdict::None => report.not_known(
                check,
                "no verdict on the Fineract that runs now; a gateway probes before it sends such a command",
            ),
        }
    }
}

/// A verdict counts only for the header and the process of Fineract with which it was found. If Fineract does not show
/// its process, a verdict counts if it was found without a process too.
fn verdict(last: &LastVerdict, header: &str, process: Option<&Process>) -> Verdict {
    let is_same = last.header == header
        && last.process_start.as_deref() == process.map(|process| process.start.as_str());
    match last.honoured {
        Some(true) if is_same => Verdict::Honoured,
        Some(false) if is_same => Verdict::Ignored,
        Some(_) | None => Verdict::None,
    }
}
