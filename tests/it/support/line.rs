//! A TCP proxy whose connections die without a word.

use std::{net::SocketAddr, sync::Arc};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream, tcp::OwnedReadHalf},
    sync::watch,
    time::timeout,
};

use super::eventually::DEADLINE;

/// A TCP proxy between the gateway and its database.
pub(crate) struct Line {
    pub(crate) address: SocketAddr,
    faults: Arc<Faults>,
}

#[derive(Default)]
struct Faults {
    /// When this is raised, the existing connections pass nothing on any more. Later connections do.
    deaths: watch::Sender<u32>,
    /// While this is set, the next connection with a commit dies after it has passed on the commit.
    dies_at_commit: watch::Sender<bool>,
    /// While this is set, no transaction begins. Each `BEGIN` is passed on afterwards.
    holds_begins: watch::Sender<bool>,
}

impl Line {
    pub(crate) async fn to(upstream: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let faults = Arc::new(Faults::default());
        let line = Self {
            address: listener.local_addr().expect("an address"),
            faults: Arc::clone(&faults),
        };
        #[expect(clippy::disallowed_methods, reason = "ends with the test's runtime")]
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let far = TcpStream::connect(upstream).await.expect("the database");
                tokio::spawn(pass_on(near, far, Arc::clone(&faults)));
            }
        });
        line
    }

    /// Lets all existing connections die: they stay open, but pass nothing on.
    pub(crate) fn kill(&self) {
        self.faults.deaths.send_modify(|deaths| *deaths += 1);
    }

    /// Lets the next connection that commits die, after the commit is passed on.
    pub(crate) fn kill_at_commit(&self) {
        self.faults.dies_at_commit.send_replace(true);
    }

    /// Waits until this has happened.
    pub(crate) async fn until_dead_at_commit(&self) {
        let mut dies = self.faults.dies_at_commit.subscribe();
        let dead = timeout(DEADLINE, dies.wait_for(|dies| !dies)).await;
        dead.expect("a commit").expect("the line is there");
    }

    /// Holds back every `BEGIN`, or passes on what was held back.
    pub(crate) fn hold_begins(&self, held: bool) {
        self.faults.holds_begins.send_replace(held);
    }
}

/// Passes bytes on in both directions until one side ends or the connection dies. A dead connection stays open for
/// ever.
async fn pass_on(near: TcpStream, far: TcpStream, faults: Arc<Faults>) {
    let mut deaths = faults.deaths.subscribe();
    let mut holds_begins = faults.holds_begins.subscribe();
    let (mut from_near, mut to_near) = near.into_split();
    let (mut from_far, mut to_far) = far.into_split();
    let mut writes = Writes::default();
    loop {
        tokio::select! {
            _ = deaths.changed() => break,
            bytes = read(&mut from_far) => match bytes {
                Some(bytes) => to_near.write_all(&bytes).await.expect("the gateway takes it"),
                None => return,
            },
            bytes = read(&mut from_near) => {
                let Some(bytes) = bytes else { return };
                if says(&bytes, b"BEGIN") {
                    holds_begins.wait_for(|held| !held).await.expect("the line is there");
                }
                to_far.write_all(&bytes).await.expect("the database takes it");
                if writes.are_committed_by(&bytes) && faults.dies_at_commit.send_replace(false) {
                    break;
                }
            }
        }
    }
    std::future::pending::<()>().await;
}

/// The prepared statements of a connection that accept or complete operations. Each execution is a transaction of its
/// own.
#[derive(Default)]
struct Writes(Vec<Vec<u8>>);

impl Writes {
    /// Whether these bytes to Postgres execute a statement that commits.
    fn are_committed_by(&mut self, bytes: &[u8]) -> bool {
        if says(bytes, b"accept_operations(") || says(bytes, b"complete_operations(") {
            // A Parse message: `P`, the length, the name of the statement, its text.
            let name = bytes.iter().skip(5).take_while(|byte| **byte != 0);
            self.0.push(name.copied().chain([0]).collect());
            return false;
        }
        says(bytes, b"COMMIT") || self.0.iter().any(|name| says(bytes, name))
    }
}

fn says(bytes: &[u8], word: &[u8]) -> bool {
    bytes.windows(word.len()).any(|part| part == word)
}

async fn read(from: &mut OwnedReadHalf) -> Option<Vec<u8>> {
    let mut bytes = vec![0; 65_536];
    let length = from
        .read(&mut bytes)
        .await
        .ok()
        .filter(|&length| length > 0)?;
    bytes.truncate(length);
    Some(bytes)
}
