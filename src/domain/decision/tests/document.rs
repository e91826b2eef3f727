//! Checks the tables against the code, and `docs/DECISIONS.md` against the tables.

use std::{fmt::Write as _, path::Path, time::Duration};

use super::{
    super::{
        Audit, Circumstances, Decision, Finding, History, Question, ReadingDecision, Scope, decide,
        decide_reading,
    },
    PATIENCE,
    attempts::attempts,
    cases::{CHECKERS, FIRST, LATER, READINGS, rows},
    recorded,
};

fn decision_text(decision: Decision) -> String {
    match decision {
        Decision::Succeeded => "succeeded".to_owned(),
        Decision::Refused => "refused".to_owned(),
        Decision::SameKey { reason_code, .. } => format!("same key: {reason_code}"),
        Decision::Read(question) => format!("read: {}", question_text(question)),
        Decision::AwaitChecker => "wait for the checker".to_owned(),
        Decision::Rejected => "failed: rejected_by_checker".to_owned(),
        Decision::Suspect { scope, reason_code } => match scope {
            Scope::Deployment => format!("blocked if a probe fails too: {reason_code}"),
            Scope::Type => format!("the type is blocked: {reason_code}"),
            Scope::Lender => format!("the lender is blocked: {reason_code}"),
        },
        Decision::Park { reason_code } => format!("park: {reason_code}"),
    }
}

fn question_text(question: Question) -> &'static str {
    match question {
        Question::AlreadyThere => "is the existing effect the operation's own?",
        Question::BeforeTheKey => "was the command executed although the key was not checked?",
        Question::Stuck => "was the command executed although its key has not ended?",
        Question::Failed => "is there an effect although the command failed?",
        Question::Conflicted => "is there an effect although other requests wrote?",
        Question::Closing => "is there an effect although the operation is to end?",
        Question::Forgotten => "was the command executed although its key may be purged?",
    }
}

fn decide_text(words: &str) -> String {
    let attempts = attempts(words);
    let reply = attempts.last().unwrap().reply.as_ref().unwrap();
    decision_text(decide(reply, &History::new(&attempts), PATIENCE))
}

fn finding(name: &str) -> Finding {
    let all = [
        Finding::Ours,
        Finding::NotOurs,
        Finding::Absent,
        Finding::CannotTell,
    ];
    all.into_iter()
        .find(|finding| format!("{finding:?}") == name)
        .unwrap()
}

fn question(name: &str) -> Question {
    let all = [
        Question::AlreadyThere,
        Question::BeforeTheKey,
        Question::Stuck,
        Question::Failed,
        Question::Conflicted,
        Question::Closing,
        Question::Forgotten,
    ];
    all.into_iter()
        .find(|question| format!("{question:?}") == name)
        .unwrap()
}

fn read(question_name: &str, found: &str, words: &str, known: &str) -> String {
    let attempts = attempts(words);
    let up = known
        .split_whitespace()
        .find_map(|word| word.strip_prefix("up:"));
    let up = up.map(|seconds| Duration::from_secs(seconds.parse().unwrap()));
    let has = |word| known.split_whitespace().any(|other| other == word);
    let circumstances = Circumstances {
        others_succeeded: has("others"),
        late_command_harmless: has("harmless"),
    };
    let history = History::new(&attempts).up_for(up);
    match decide_reading(
        question(question_name),
        finding(found),
        &history,
        circumstances,
    ) {
        ReadingDecision::Succeeded => "succeeded".to_owned(),
        ReadingDecision::Refused => "refused".to_owned(),
        ReadingDecision::NewKey { reason_code } => format!("new key: {reason_code}"),
        ReadingDecision::SameKey { reason_code } => format!("same key: {reason_code}"),
        ReadingDecision::Park { reason_code } => format!("park: {reason_code}"),
    }
}

fn audited(audit: &str, words: &str) -> String {
    let all = [Audit::Unchecked, Audit::Checked];
    let audit = all.into_iter().find(|one| format!("{one:?}") == audit);
    let attempts = attempts(words);
    let reply = attempts.last().unwrap().reply.as_ref().unwrap();
    let history = History::new(&attempts).seen_in_audit(Some(audit.unwrap()));
    decision_text(decide(reply, &history, PATIENCE))
}

#[test]
fn each_answer_means_what_the_table_says() {
    for [what, words, expected, _] in rows(FIRST).chain(rows(LATER)) {
        assert_eq!(decide_text(words), expected, "{what}: {words}");
    }
}

#[test]
fn each_reading_decides_what_the_table_says() {
    for [asked, found, words, known, expected] in rows(READINGS) {
        assert_eq!(
            read(asked, found, words, known),
            expected,
            "{asked} {found} {words} {known}"
        );
    }
}

#[test]
fn a_key_after_its_audit_means_what_the_table_says() {
    for [audit, words, expected] in rows(CHECKERS) {
        assert_eq!(audited(audit, words), expected, "{audit} {words}");
    }
}

/// An operation whose command waits for a checker gets neither a second command nor an end before its key has ended.
#[test]
fn a_command_waits_from_its_answer_until_its_key_has_ended() {
    for (words, waits) in [
        ("pending", true),
        ("pending@90 425c@60 timeout", true),
        ("pending@90 403:error.msg.data.integrity.issue", true),
        ("pending@90 409:locked", true),
        ("pending@90 k2-timeout", true),
        ("pending@90 pending", true),
        ("pending@90 done-c", false),
        ("pending@90 400c:rule", false),
        ("pending@90 500c:html", false),
        ("pending@90 500c:html k2-pending", true),
        ("timeout@90 425c", false),
    ] {
        let attempts = attempts(words);
        assert_eq!(History::new(&attempts).awaits_checker(), waits, "{words}");
    }
}

const HEAD: &str = include_str!("document.md");

fn table(out: &mut String, cases: &str) {
    out.push_str("| answer | what the gateway does | rule |\n| --- | --- | --- |\n");
    for [what, _, decision, source] in rows(cases) {
        writeln!(out, "| {what} | {decision} | {source} |").unwrap();
    }
}

/// The attempts as a readable sequence.
fn sequence(words: &str) -> String {
    words.split_whitespace().collect::<Vec<_>>().join(" → ")
}

/// The codes without repetitions and without those that only name the kind of error.
fn specific(mut codes: Vec<String>) -> Vec<String> {
    codes.retain(|code| {
        !matches!(
            code.as_str(),
            "validation.msg.validation.errors.exist"
                | "validation.msg.domain.rule.violation"
                | "error.msg.resource.not.found"
        )
    });
    codes.dedup();
    codes
}

fn document() -> String {
    let mut parts = HEAD.split("<!-- table -->\n");
    let mut out = parts.next().unwrap().to_owned();
    let mut next = |out: &mut String| out.push_str(parts.next().unwrap());
    table(&mut out, FIRST);
    next(&mut out);
    table(&mut out, LATER);
    next(&mut out);
    out.push_str("| question | found | attempts | known | what the gateway does |\n| --- | --- | --- | --- | --- |\n");
    for [question_name, found, words, known, expected] in rows(READINGS) {
        let (asked, attempts) = (question_text(question(question_name)), sequence(words));
        writeln!(
            out,
            "| {asked} | {found} | {attempts} | {known} | {expected} |"
        )
        .unwrap();
    }
    next(&mut out);
    out.push_str("| audit | attempts | what the gateway does |\n| --- | --- | --- |\n");
    for [audit, words, expected] in rows(CHECKERS) {
        writeln!(out, "| {audit} | {} | {expected} |", sequence(words)).unwrap();
    }
    next(&mut out);
    out.push_str(
        "| status | stored | codes | what the gateway does |\n| --- | --- | --- | --- |\n",
    );
    for (answer, decision) in
        recorded::refusals(|reply| decision_text(decide(reply, &History::new(&[]), PATIENCE)))
    {
        let stored = if answer.cached { "yes" } else { "" };
        let codes = specific(answer.codes()).join(", ");
        writeln!(
            out,
            "| {} | {stored} | {codes} | {decision} |",
            answer.status
        )
        .unwrap();
    }
    next(&mut out);
    out
}

#[test]
fn the_document_says_what_the_tables_say() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/DECISIONS.md");
    let document = document();
    #[expect(
        clippy::disallowed_methods,
        reason = "the person who runs the test sets this variable"
    )]
    let rewrite = std::env::var("UPDATE_DOCS").is_ok_and(|value| value == "1");
    if rewrite {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &document).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == document,
        "run the tests with UPDATE_DOCS=1 and review the changes"
    );
}
