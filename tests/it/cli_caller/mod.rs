//! The commands of callers: `operate`, `track`, `wait` and `events`. `webhooks` is tested beside the webhooks.

mod ends;
mod events;
mod operate;

use std::{net::SocketAddr, process::Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    net::{TcpListener, TcpStream},
    process::{Child, ChildStdout},
    time::timeout,
};

use crate::support::{
    TOKEN,
    command::{Ended, program, run},
    eventually::DEADLINE,
};

/// Runs a command as the caller `los`.
pub(crate) async fn los(address: SocketAddr, arguments: &[&str]) -> Ended {
    let url = format!("http://{address}");
    let arguments = [arguments, &["--url", &url]].concat();
    run(&arguments, &[("GATEWAY_TOKEN", TOKEN)]).await
}

/// Runs a command as `los`, which has to end well, and returns what it prints.
pub(crate) async fn printed(address: SocketAddr, arguments: &[&str]) -> String {
    let ended = los(address, arguments).await;
    let text = format!("{arguments:?}: {}{}", ended.stdout, ended.stderr);
    assert_eq!(ended.code, Some(0), "{text}");
    assert_eq!(ended.stderr, "", "{text}");
    ended.stdout
}

/// A command of `los` that runs until Ctrl-C.
pub(crate) struct Follower {
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Follower {
    pub(crate) fn start(address: SocketAddr, arguments: &[&str]) -> Self {
        let url = format!("http://{address}");
        let arguments = [arguments, &["--url", &url]].concat();
        let mut process = program(&arguments, &[("GATEWAY_TOKEN", TOKEN)])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary runs");
        let stdout = process.stdout.take().expect("a pipe");
        Self {
            process,
            lines: BufReader::new(stdout).lines(),
        }
    }

    /// Waits for the next line that the command prints.
    pub(crate) async fn line(&mut self) -> String {
        let line = timeout(DEADLINE, self.lines.next_line()).await;
        line.expect("a line in time")
            .expect("a pipe")
            .expect("a line")
    }

    /// Waits until the command ends by itself. Returns its exit code and its errors.
    pub(crate) async fn end(self) -> (Option<i32>, String) {
        drop(self.lines);
        let ended = timeout(DEADLINE, self.process.wait_with_output()).await;
        let ended = ended.expect("it ends in time").expect("it ran");
        let errors = String::from_utf8(ended.stderr).expect("text");
        (ended.status.code(), errors)
    }

    /// Presses Ctrl-C.
    pub(crate) async fn interrupt(self) -> (Option<i32>, String) {
        let id = self.process.id().expect("it runs");
        let id = Pid::from_raw(id.try_into().expect("an id")).expect("an id");
        kill_process(id, Signal::INT).expect("it runs");
        self.end().await
    }
}

/// Accepts the next connection, and reads the request's head.
async fn request(listener: &TcpListener) -> (TcpStream, String) {
    let accepted = timeout(DEADLINE, listener.accept()).await;
    let (mut stream, _) = accepted.expect("in time").expect("a connection");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.expect("a request"));
    }
    (stream, String::from_utf8(head).expect("text"))
}

/// Answers a request in the place of a gateway.
async fn answer(mut stream: TcpStream, status: &str, body: &str) {
    let length = body.len();
    let head =
        format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n");
    let sent = stream.write_all(format!("{head}{body}").as_bytes()).await;
    sent.expect("a reader");
}
