//! A fake Fineract for behaviour that the sandbox does not have. Over real TCP, it gives the answers that a test sets.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::{Notify, watch},
    time::timeout,
};

use crate::support::eventually::DEADLINE;

/// The time of the fake's clock, which does not run.
const DATE: &str = "Sat, 21 Nov 2026 08:30:55 GMT";
/// The same time, in seconds since 1970.
pub(crate) const NOW: u64 = 1_795_249_855;

/// A command that arrived.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) key: String,
    pub(crate) body: String,
}

/// The answers to commands that contain a text, one after the other. The last answer is repeated.
struct Script {
    needle: String,
    words: VecDeque<String>,
}

#[derive(Default)]
struct State {
    scripts: Vec<Script>,
    reads: Vec<(String, String)>,
    seen: Vec<Seen>,
    probes: Vec<Seen>,
    probed: VecDeque<String>,
    pages: Vec<String>,
}

/// A fake that listens. It ends with the runtime of its test.
#[derive(Clone)]
pub(crate) struct FakeFineract {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    released: Arc<Notify>,
    /// How many commands have arrived.
    arrived: watch::Sender<usize>,
}

impl FakeFineract {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let fake = Self {
            address: listener.local_addr().expect("an address"),
            state: Arc::default(),
            released: Arc::default(),
            arrived: watch::Sender::default(),
        };
        fake.reads("/paymenttypes", "200 []");
        let serving = fake.clone();
        #[expect(clippy::disallowed_methods, reason = "ends with the test's runtime")]
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let fake = serving.clone();
                tokio::spawn(async move { fake.serve(stream).await });
            }
        });
        fake
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/fineract-provider/api/v1", self.address)
    }

    /// Answers commands whose path or body contains `needle`, with one word after the other. A word is a status, `c` if
    /// it is a stored answer, and the body. It may also be `hang`, `close`, or `hold` before an answer that waits for
    /// [`FakeFineract::release`].
    pub(crate) fn answers(&self, needle: &str, words: &[&str]) {
        let script = Script {
            needle: needle.to_owned(),
            words: words.iter().map(ToString::to_string).collect(),
        };
        let mut state = self.state.lock().unwrap();
        state.scripts.retain(|script| script.needle != needle);
        state.scripts.push(script);
    }

    /// From now on, answers reads whose path begins with `path`. If `path` ends with `$`, the whole path must be equal.
    pub(crate) fn reads(&self, path: &str, answer: &str) {
        let mut state = self.state.lock().unwrap();
        state.reads.retain(|(known, _)| known != path);
        state.reads.insert(0, (path.to_owned(), answer.to_owned()));
    }

    /// Sends the answers that are on `hold`.
    pub(crate) fn release(&self) {
        self.released.notify_waiters();
    }

    /// The commands that arrived.
    pub(crate) fn commands(&self) -> Vec<Seen> {
        self.state.lock().unwrap().seen.clone()
    }

    /// Answers the next key probes with these words. All other key probes are answered as if keys were honoured.
    pub(crate) fn answers_probes(&self, words: &[String]) {
        self.state.lock().unwrap().probed = words.to_vec().into();
    }

    /// The key probes that arrived.
    pub(crate) fn probes(&self) -> Vec<Seen> {
        self.state.lock().unwrap().probes.clone()
    }

    /// The key numbers of the commands that arrived.
    pub(crate) fn keys(&self) -> Vec<u32> {
        let number = |seen: &Seen| seen.key.rsplit_once('-').unwrap().1.parse().unwrap();
        self.commands().iter().map(number).collect()
    }

    /// The paths of the reads that arrived.
    pub(crate) fn pages(&self) -> Vec<String> {
        self.state.lock().unwrap().pages.clone()
    }

    /// Waits until at least this many commands have arrived.
    pub(crate) async fn until_commands(&self, count: usize) {
        let mut arrived = self.arrived.subscribe();
        let waited = timeout(DEADLINE, arrived.wait_for(|arrived| *arrived >= count)).await;
        assert!(waited.is_ok(), "{:?}", self.commands());
    }

    async fn serve(&self, mut stream: TcpStream) -> Option<()> {
        let (head, body) = request(&mut stream).await?;
        let mut words = head.split_whitespace();
        let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
        let path = path.replace("/fineract-provider/api/v1", "");
        let word = if method == "GET" {
            self.read(path)
        } else {
            let header = |line: &str| line.split_once(": ").map(|(_, value)| value.to_owned());
            let lower = |line: &str| line.to_ascii_lowercase().starts_with("idempotency-key:");
            let key = head.lines().find(|line| lower(line)).and_then(header);
            self.command(Seen {
                method,
                path,
                key: key.unwrap_or_default(),
                body,
            })
        };
        let word = match word.as_str() {
            "hang" => std::future::pending().await,
            "close" => return None,
            _ => match word.strip_prefix("hold ") {
                Some(answer) => {
                    self.released.notified().await;
                    answer.to_owned()
                }
                None => word,
            },
        };
        let (status, body) = word.split_once(' ').unwrap_or((&word, ""));
        let cached = status.ends_with('c');
        let answer = format!(
            "HTTP/1.1 {} X\r\nContent-Type: application/json\r\nDate: {DATE}\r\n{}Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            status.trim_end_matches('c'),
            if cached {
                "x-served-from-cache: true\r\n"
            } else {
                ""
            },
            body.len(),
        );
        stream.write_all(answer.as_bytes()).await.ok()
    }

    fn read(&self, path: String) -> String {
        let mut state = self.state.lock().unwrap();
        let answer = state
            .reads
            .iter()
            .find(|(known, _)| match known.strip_suffix('$') {
                Some(whole) => path == whole,
                None => path.starts_with(known.as_str()),
            });
        let answer = answer.map_or_else(not_found, |(_, answer)| answer.clone());
        state.pages.push(path);
        answer
    }

    fn command(&self, seen: Seen) -> String {
        let mut state = self.state.lock().unwrap();
        if seen.key.ends_with("-probe") {
            state.probes.push(seen);
            let word = state.probed.pop_front();
            return word.unwrap_or_else(|| refusal(400, "validation").replacen("400", "400c", 1));
        }
        let about = |script: &&mut Script| {
            seen.path.contains(&script.needle) || seen.body.contains(&script.needle)
        };
        let word = state.scripts.iter_mut().find(about).map(|script| {
            let word = script.words[0].clone();
            if script.words.len() > 1 {
                script.words.pop_front();
            }
            word
        });
        state.seen.push(seen);
        self.arrived.send_replace(state.seen.len());
        word.unwrap_or_else(|| "500".to_owned())
    }
}

/// Fineract's answer about an object that it does not have.
pub(crate) fn not_found() -> String {
    refusal(404, "error.msg.loan.id.invalid")
}

/// A refusal with this status and code.
pub(crate) fn refusal(status: u16, code: &str) -> String {
    format!(r#"{status} {{"errors":[{{"userMessageGlobalisationCode":"{code}"}}]}}"#)
}

async fn request(stream: &mut TcpStream) -> Option<(String, String)> {
    let mut bytes = Vec::new();
    loop {
        let mut part = [0; 4096];
        let count = stream
            .read(&mut part)
            .await
            .ok()
            .filter(|count| *count > 0)?;
        bytes.extend_from_slice(&part[..count]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| {
                    line.to_ascii_lowercase()
                        .strip_prefix("content-length: ")?
                        .parse()
                        .ok()
                })
                .unwrap_or(0);
            if body.len() >= length {
                return Some((head.to_owned(), body.to_owned()));
            }
        }
    }
}
