//! A short notation for replies and attempts, one word for each.

use std::time::Duration;

use crate::domain::{Answer, Attempt, Failure, Method, Reply, Request};

/// The command of every attempt.
pub(super) fn command() -> Request {
    Request {
        method: Method::Post,
        path: "/loans/9?command=approve".to_owned(),
        body: None,
    }
}

const DONE: &str = r#"{"officeId":1,"clientId":42,"loanId":9,"resourceId":9}"#;
const ANOTHERS: &str = r#"{"officeId":1,"clientId":42,"loanId":10,"resourceId":10}"#;
const NULLS: &str = r#"{"commandId":null,"clientId":42,"loanId":9,"resourceId":9,"changes":null,"rollbackTransaction":false,"resourceExternalId":null}"#;
const PENDING: &str = r#"{"commandId":77,"resourceId":9,"rollbackTransaction":true,"resourceExternalId":{},"subResourceExternalId":{}}"#;

/// Builds a reply from one word: a failure, a success, or a status, with `c` for a stored answer, and after a colon
/// an error code or one of the short names below.
pub(super) fn reply(word: &str) -> Reply {
    let (status, body, cached) = match word {
        "unreachable" => return Reply::Failure(Failure::NotConnected),
        "timeout" => return Reply::Failure(Failure::TimedOut),
        "closed" => return Reply::Failure(Failure::Closed),
        "done" => (200, DONE.to_owned(), false),
        "done-c" => (200, DONE.to_owned(), true),
        "nulls-c" => (200, NULLS.to_owned(), true),
        "another" => (200, ANOTHERS.to_owned(), false),
        "another-c" => (200, ANOTHERS.to_owned(), true),
        "pending" => (200, PENDING.to_owned(), false),
        "200:garbage" => (200, "{\"loanId\":".to_owned(), false),
        "200:{}" => (200, "{}".to_owned(), false),
        _ => {
            let (status, code) = word.split_once(':').unwrap_or((word, ""));
            let cached = status.ends_with('c');
            let status = status.trim_end_matches('c').parse().unwrap();
            (status, body(status, code), cached)
        }
    };
    Reply::Answer(Answer {
        status,
        cached,
        body,
        retry_after: None,
    })
}

fn body(status: u16, code: &str) -> String {
    let code = match code {
        "" if status == 425 => return r#"{"approvedOnDate":"10 January 2024"}"#.to_owned(),
        "" => return format!(r#"{{"status":{status},"error":"…"}}"#),
        "html" => return "<html>".to_owned(),
        "empty" => return String::new(),
        "not-authorized" => "error.msg.not.authorized",
        "locked" => "error.msg.loan.locked",
        "scheduler" => "error.msg.sheduler.job.currently.running",
        "database" => "error.msg.persistence.error",
        "conflict" => "error.msg.platform.service.lock.conflict",
        "rule" => "validation.msg.loan.principal.cannot.be.blank",
        "already" => "error.msg.loan.with.externalId.already.used",
        other => other,
    };
    let top = if status == 404 {
        "error.msg.resource.not.found"
    } else {
        "validation.msg.validation.errors.exist"
    };
    format!(
        r#"{{"httpStatusCode":"{status}","userMessageGlobalisationCode":"{top}",
            "errors":[{{"parameterName":"id","userMessageGlobalisationCode":"{code}"}}]}}"#
    )
}

/// A first attempt with this reply.
pub(super) fn answered(reply: Reply) -> Attempt {
    Attempt {
        number: 1,
        key_number: 1,
        request: command(),
        user: None,
        reply: Some(reply),
        age: Duration::ZERO,
        effect_preexisted: false,
        referents: Vec::new(),
        epoch: 1,
    }
}

/// Builds attempts from words. The last attempt has just been answered. A word consists of the key (`k2-`, or nothing
/// for the first key), the reply as in [`reply`] (or `open` for none), and after `@` how many seconds ago it was sent.
pub(super) fn attempts(words: &str) -> Vec<Attempt> {
    let attempt = |(index, word): (usize, &str)| {
        let (word, age) = word.split_once('@').unwrap_or((word, "0"));
        let (key_number, said) = match word.strip_prefix('k').and_then(|rest| rest.split_once('-'))
        {
            Some((number, said)) => (number.parse().unwrap(), said),
            None => (1, word),
        };
        Attempt {
            number: i32::try_from(index).unwrap() + 1,
            key_number,
            reply: (said != "open").then(|| reply(said)),
            age: Duration::from_secs(age.parse().unwrap()),
            ..answered(Reply::Failure(Failure::Closed))
        }
    };
    words.split_whitespace().enumerate().map(attempt).collect()
}
