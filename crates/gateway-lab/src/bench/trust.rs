//! Measures what many connections that do nothing useful cost the gateway, and what they cost others.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::JoinSet,
    time::{Instant, interval_at, sleep},
};

use super::{
    Scale,
    bed::Bed,
    figures::{Milli, Samples},
    process::raise_file_limit,
    table::Row,
};

/// How many operations are accepted and run each second meanwhile. With 500, the two cores of the machine of 2026-11-30 are
/// busy already: then the cost of sending the bytes, here, would be measured.
pub(super) const RATE: u32 = 200;
/// The number of connections that begin at the same time: 10,000 in ten seconds, which is how long a dripping one lasts. So
/// they do not all end, and begin anew, in the same second.
const BEGUN_AT_ONCE: usize = 50;
/// The pause after each of these, and after a connection has ended.
const PAUSE: Duration = Duration::from_millis(50);
/// The pause for the gateway after a crowd has gone.
const AFTERWARDS: Duration = Duration::from_secs(2);
/// The largest memory of the gateway.
const MOST_MEMORY: Milli = Milli::whole(300);
/// A request without an end.
const REQUEST: &[u8] = b"GET /healthz HTTP/1.1\r\nHost: bench\r\nX: ";

/// What the connections of a crowd do.
#[derive(Clone, Copy, Debug)]
enum Kind {
    /// They have had one answer, and send nothing more.
    Idle,
    /// They send a byte each second. When the gateway ends one, it begins anew.
    Dripping,
}

/// Connections that do nothing useful. They end when this is dropped.
struct Crowd {
    open: Arc<AtomicUsize>,
    _connections: JoinSet<()>,
}

/// Opens many connections while operations are accepted, and compares with nobody else being there.
pub(super) async fn measure(scale: &Scale) -> anyhow::Result<Vec<Row>> {
    raise_file_limit()?;
    let count = scale.size(10_000, 300);
    let mut bed = Bed::make("trust").await?;
    let gateway = bed.start_gateway("all", "postgres").await?;
    let address = bed.address(gateway)?;
    let lasts = scale.seconds(15, 3);
    let accept = async || bed.accept_p99(gateway, scale.size(RATE, 50), lasts).await;
    // The first time warms everything up.
    accept().await?;
    let before = bed.memory(gateway).await?.now;
    let mut alone = Samples::default();
    let kinds = [("idle", Kind::Idle), ("dripping", Kind::Dripping)];
    let mut crowds = kinds.map(|_| (Samples::default(), Samples::default()));
    for _ in 0..scale.times() {
        alone.push(accept().await?);
        for ((_, kind), (beside, memory)) in kinds.into_iter().zip(&mut crowds) {
            let crowd = Crowd::open(address, count, kind).await;
            beside.push(accept().await?);
            memory.push(Milli(bed.memory(gateway).await?.now));
            let open = crowd.open.load(Ordering::Relaxed);
            // A dripping connection that was ended is not open for a moment.
            anyhow::ensure!(open * 10 > count * 9, "only {open} connections are open");
            drop(crowd);
            sleep(AFTERWARDS).await;
        }
    }
    let peak = bed.memory(gateway).await?.peak;
    bed.clear().await?;
    let count = Milli::whole(u64::try_from(count)?);
    let rows = kinds
        .iter()
        .zip(crowds)
        .flat_map(|((kind, _), (beside, memory))| {
            let what = format!("{count} {kind} connections");
            [
                Row::at_most(
                    &format!("{what}: memory of the gateway"),
                    &memory,
                    " MB",
                    MOST_MEMORY,
                )
                .note(&format!(
                    "{} before, {} at the peak",
                    Milli(before),
                    Milli(peak)
                )),
                Row::ratio(
                    &format!("{what}: accept p99 over that without them"),
                    "ms",
                    &beside,
                    &alone,
                ),
            ]
        });
    Ok(rows.collect())
}

impl Crowd {
    async fn open(address: SocketAddr, count: usize, kind: Kind) -> Self {
        let open = Arc::new(AtomicUsize::new(0));
        let mut connections = JoinSet::new();
        for number in 0..count {
            let open = Arc::clone(&open);
            connections.spawn(async move {
                loop {
                    // An error means that the gateway has ended the connection.
                    drop(stay(address, kind, &open).await);
                    sleep(PAUSE).await;
                }
            });
            if number % BEGUN_AT_ONCE == 0 {
                sleep(PAUSE).await;
            }
        }
        Self {
            open,
            _connections: connections,
        }
    }
}

/// Opens a connection, and keeps it until the gateway ends it.
async fn stay(address: SocketAddr, kind: Kind, open: &AtomicUsize) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(address).await?;
    let _counted = Counted::new(open);
    match kind {
        Kind::Idle => {
            stream
                .write_all(b"GET /healthz HTTP/1.1\r\nHost: bench\r\n\r\n")
                .await?;
            let mut answer = [0; 1024];
            while stream.read(&mut answer).await? > 0 {}
        }
        Kind::Dripping => {
            let second = Duration::from_secs(1);
            // Their bytes do not all come at the same moment.
            let first = Instant::now() + second.mul_f64(fastrand::f64());
            let mut seconds = interval_at(first, second);
            for byte in REQUEST.iter().cycle() {
                seconds.tick().await;
                stream.write_all(std::slice::from_ref(byte)).await?;
            }
        }
    }
    Ok(())
}

/// Counts an open connection until it is dropped.
struct Counted<'a>(&'a AtomicUsize);

impl<'a> Counted<'a> {
    fn new(open: &'a AtomicUsize) -> Self {
        open.fetch_add(1, Ordering::Relaxed);
        Self(open)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
