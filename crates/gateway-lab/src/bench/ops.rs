//! Measures the operators' lists with many operations in the tables, while other operations run.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use tokio::time::{MissedTickBehavior, interval};

use super::{
    Scale,
    bed::{Bed, OPS_TOKEN},
    figures::{Milli, Samples, quantile},
    table::Row,
};

/// The number of rows that one statement writes.
const CHUNK: i64 = 500_000;
/// How many operations are sent each second meanwhile.
const RATE: u32 = 500;
/// How often each kind of request is sent. A page that is open loads its parts again at most once a second, so this is
/// what four pages of each kind do while everything changes.
const EACH: Duration = Duration::from_millis(250);
/// The longest p99 of each kind of request.
const GOAL: Milli = Milli::whole(200);

/// The kinds of requests, each with the paths that are read in turn.
const KINDS: [(&str, &[&str]); 4] = [
    (
        "list",
        &[
            "operations",
            "operations?state=failed",
            "operations?state=open",
            "operations?state=on_hold&type=CLIENT_UPDATE",
            "operations?state=failed&type=LOAN_REPAYMENT&caller=lms",
            "operations?state=failed&reason_code=refused_7",
            "operations?lender=UGRO&state=failed",
            "operations?caller=lms&type=LOAN_REPAYMENT",
            "operations?ended_after=2023-11-14T22:30:00Z&state=succeeded",
            "operations?accepted_before=2023-11-14T22:14:00Z&type=LOAN_CREATE",
            // Nothing matches, so the page ends at its limit.
            "operations?type=NO_SUCH_TYPE",
        ],
    ),
    (
        "counts",
        &[
            "operations/counts",
            "operations/counts?by=type&state=failed",
            "operations/counts?by=reason_code&state=failed",
            "operations/counts?by=lender&state=succeeded",
        ],
    ),
    (
        "search",
        &[
            "operations?q=l-77",
            "operations?q=l-7777",
            "operations?q=UTR%207777",
            "operations?q=no-such-id",
        ],
    ),
    ("lane", &["lanes/loan%3Al-77", "lanes/loan%3Al-7777"]),
];

/// Fills the tables, and reads lists while operations are accepted and run. Then compares the time of an acceptance with
/// that time while nobody reads lists.
pub(super) async fn measure(scale: &Scale) -> anyhow::Result<Vec<Row>> {
    let mut bed = Bed::make("ops").await?;
    let (ended, open) = (scale.size(10_000_000, 200_000), scale.size(100_000, 10_000));
    for first in (1..=ended).step_by(usize::try_from(CHUNK)?) {
        let last = ended.min(first + CHUNK - 1);
        bed.queue.fill_history(first, last).await?;
    }
    bed.queue.fill_due(open).await?;
    bed.queue.hold_all().await?;
    bed.queue.run("VACUUM ANALYZE").await?;
    bed.queue.run("CHECKPOINT").await?;
    bed.start_gateway("all", "postgres").await?;
    let lasts = scale.seconds(30, 5);
    let accept = async || bed.accept_p99(0, scale.size(RATE, 50), lasts).await;
    let [mut alone, mut beside] = [(); 2].map(|()| Samples::default());
    let mut reads = KINDS.map(|_| Vec::new());
    for _ in 0..scale.times() {
        alone.push(accept().await?);
        let (accepted, read) = tokio::join!(accept(), read(&bed, lasts, &mut reads));
        read?;
        beside.push(accepted?);
    }
    bed.clear().await?;
    let what = |kind: &str| {
        format!(
            "p99 of {kind}, {} ended operations",
            Milli::whole(ended.unsigned_abs())
        )
    };
    let mut rows: Vec<Row> = KINDS
        .iter()
        .zip(&reads)
        .map(|((kind, _), reads)| {
            let mut micros: Vec<u64> = reads.iter().map(|(micros, _)| *micros).collect();
            let [half, p99] = [500, 990].map(|share| Milli(quantile(&mut micros, share)));
            let slowest = reads.iter().max().map_or("", |(_, path)| *path);
            Row::at_most(&what(kind), &p99.into(), " ms", GOAL).note(&format!(
                "p50 {half} ms, {} requests, the slowest {slowest}, {open} open",
                reads.len()
            ))
        })
        .collect();
    let measure = "accept p99 while 16 requests/s read lists, over that of nobody reading";
    rows.push(Row::ratio(measure, "ms", &beside, &alone));
    Ok(rows)
}

/// Reads one path of each kind after the other, for this time. Adds how long each request took, in microseconds, and its
/// path.
async fn read(
    bed: &Bed,
    lasts: Duration,
    reads: &mut [Vec<(u64, &'static str)>; KINDS.len()],
) -> anyhow::Result<()> {
    let url = bed.url(0)?;
    let until = Instant::now() + lasts;
    let mut turn = 0;
    let mut rounds = interval(EACH);
    rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while Instant::now() < until {
        rounds.tick().await;
        for ((_, paths), reads) in KINDS.iter().zip(reads.iter_mut()) {
            let path = *paths
                .get(turn % paths.len())
                .context("a kind without paths")?;
            let started = Instant::now();
            let answer = bed
                .http
                .get(format!("{url}/fineract/{path}"))
                .header("X-Internal-Token", OPS_TOKEN)
                .send()
                .await
                .context("the gateway does not answer")?;
            answer.error_for_status()?.text().await?;
            reads.push((u64::try_from(started.elapsed().as_micros())?, path));
        }
        turn += 1;
    }
    Ok(())
}
