//! Checks the decision against every recorded refusal of a real Fineract.

use std::{collections::BTreeMap, fs, path::Path};

use serde_json::Value;

use super::{
    super::{Decision, History, Question, decide, reply_class::ReplyClass},
    PATIENCE, attempts,
};
use crate::domain::{Answer, Attempt, Method, Reply, Request, erased};

/// Each recorded refusal once, with the result of `decide`.
pub(super) fn refusals(decide: impl Fn(&Reply) -> String) -> Vec<(Answer, String)> {
    let mut all = BTreeMap::new();
    for answer in answers().into_iter().filter(|answer| answer.status != 200) {
        let key = (answer.status, answer.codes(), answer.cached);
        let decision = decide(&Reply::Answer(answer.clone()));
        let (_, known) = all.entry(key).or_insert_with(|| (answer, decision.clone()));
        assert_eq!(*known, decision, "the same answer");
    }
    all.into_values().collect()
}

/// All recorded answers to commands.
fn answers() -> Vec<Answer> {
    let commands = commands().into_iter();
    commands.map(|step| answer(&step["response"])).collect()
}

/// All recorded commands.
fn commands() -> Vec<Value> {
    let folder =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("crates/fineract-sandbox/tests/recorded");
    let mut commands = Vec::new();
    for file in fs::read_dir(folder).unwrap() {
        let text = fs::read_to_string(file.unwrap().path()).unwrap();
        let scenario: Value = serde_json::from_str(&text).unwrap();
        let steps = scenario["steps"].as_array().cloned().unwrap_or_default();
        commands.extend(
            steps
                .into_iter()
                .filter(|step| !step["request"].is_null() && step["request"]["method"] != "GET"),
        );
    }
    assert!(commands.len() > 200, "the recordings are there");
    commands
}

/// A recorded command, if the gateway uses its method, as the gateway would have sent it: by the number that all clients and
/// loans have here, and with the external id that the answer shows for the payment.
fn request(step: &Value) -> Option<Request> {
    let request = &step["request"];
    let path = request["path"].as_str().unwrap();
    let parts = path
        .split("{{")
        .enumerate()
        .map(|(place, part)| match place {
            0 => part.to_owned(),
            _ => format!("9{}", part.split_once("}}").unwrap().1),
        });
    let path: String = parts.collect();
    let mut body = numbered(&request["body"]);
    let payment = &step["response"]["body"]["subResourceExternalId"];
    if payment.is_string() && body.is_object() {
        body["externalId"] = payment.clone();
    }
    Some(Request {
        method: Method::from_name(request["method"].as_str().unwrap())?,
        path: path.replace("/external-id/", "/"),
        body: (!body.is_null()).then(|| body.to_string()),
    })
}

fn answer(response: &Value) -> Answer {
    Answer {
        status: response["status"].as_u64().unwrap().try_into().unwrap(),
        cached: response["headers"]["x-served-from-cache"] == "true",
        body: match &response["body"] {
            Value::String(text) => text.clone(),
            Value::Null => String::new(),
            body @ (Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
                numbered(body).to_string()
            }
        },
        retry_after: None,
    }
}

/// Replaces the placeholders that the recordings contain instead of ids.
fn numbered(body: &Value) -> Value {
    let mut body = body.clone();
    if !body.is_object() {
        return body;
    }
    for key in [
        "clientId",
        "loanId",
        "resourceId",
        "subResourceId",
        "commandId",
    ] {
        if body[key].is_string() {
            body[key] = 9.into();
        }
    }
    body
}

/// Every recorded success of a command counts as a success. An answer to a maker does not, because the command waits
/// for a checker.
#[test]
fn recorded_successes_are_believed_and_a_makers_is_not() {
    let (mut done, mut pending) = (0, 0);
    for answer in answers().into_iter().filter(|answer| answer.status == 200) {
        let body: Value = serde_json::from_str(&answer.body).unwrap();
        if body["resourceId"].is_null() && body["rollbackTransaction"].is_null() {
            // Products and other objects that the gateway does not write.
            continue;
        }
        let expected = if body["rollbackTransaction"] == true {
            pending += 1;
            Decision::AwaitChecker
        } else {
            done += 1;
            Decision::Succeeded
        };
        assert_eq!(
            decide(&Reply::Answer(answer), &History::new(&[]), PATIENCE),
            expected
        );
    }
    assert!(done > 50 && pending == 7, "{done} {pending}");
}

/// A first attempt is refused permanently only by a 4xx with an error code of Fineract.
#[test]
fn only_a_command_that_fineract_looked_at_is_refused_for_good() {
    for answer in answers() {
        let attempt = attempts::answered(Reply::Answer(answer.clone()));
        let reply = attempt.reply.clone().unwrap();
        let decision = decide(&reply, &History::new(&[attempt]), PATIENCE);
        match decision {
            Decision::Refused => {
                assert!((400..=404).contains(&answer.status), "{answer:?}");
                assert!(!answer.codes().is_empty(), "{answer:?}");
            }
            Decision::Read(question) => {
                assert!(answer.cached, "{answer:?}");
                assert_eq!(question, Question::Failed);
            }
            Decision::Succeeded
            | Decision::SameKey { .. }
            | Decision::AwaitChecker
            | Decision::Rejected
            | Decision::Suspect { .. }
            | Decision::Park { .. } => {}
        }
    }
}

/// What was erased means the same as before: otherwise an ended operation could never be erased again, or archived.
#[test]
fn erased_answers_mean_the_same() {
    let mut named = 0;
    for step in commands() {
        let Some(request) = request(&step) else {
            continue;
        };
        let answer = answer(&step["response"]);
        let erased_request = Request {
            body: request.body.as_deref().map(erased),
            ..request.clone()
        };
        let erased_answer = Answer {
            body: erased(&answer.body),
            ..answer.clone()
        };
        let class = |request: &Request, answer: &Answer| {
            let reply = Reply::Answer(answer.clone());
            let class = ReplyClass::of(Some(&reply), Some(request));
            let attempt = Attempt {
                request: request.clone(),
                ..attempts::answered(reply)
            };
            (class, History::new(&[attempt]).may_still_run())
        };
        let before = class(&request, &answer);
        assert_eq!(class(&erased_request, &erased_answer), before, "{step}");
        named += usize::from(
            before.0 == ReplyClass::Done && answer.body.contains("subResourceExternalId"),
        );
    }
    assert!(named > 5, "{named} payments answer with their external id");
}
