//! Checks the decision against every recorded refusal of a real Fineract.

use std::{collections::BTreeMap, fs, path::Path};

use serde_json::Value;

use super::{
    super::{Decision, History, Question, decide},
    PATIENCE, attempts,
};
use crate::domain::{Answer, Reply};

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
    let folder =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("crates/fineract-sandbox/tests/recorded");
    let mut answers = Vec::new();
    for file in fs::read_dir(folder).unwrap() {
        let text = fs::read_to_string(file.unwrap().path()).unwrap();
        let scenario: Value = serde_json::from_str(&text).unwrap();
        let steps = scenario["steps"].as_array().cloned().unwrap_or_default();
        let commands = steps
            .iter()
            .filter(|step| !step["request"].is_null() && step["request"]["method"] != "GET");
        answers.extend(commands.map(|step| answer(&step["response"])));
    }
    assert!(answers.len() > 200, "the recordings are there");
    answers
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
