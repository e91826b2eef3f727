//! What must be true of each parser of outside bytes, whatever the bytes are. No parser may panic; what it accepts, it
//! must be able to write, and to read again as the same. `targets/` has one program for each function.

use std::time::Duration;

use fineract_gateway::{
    domain::{
        Amount, Answer, Client, CredentialSecret, Day, Loan, Named, Product, Reply, TraceParent,
        TrackingId, Transaction,
        decision::{self, Audited, History, Patience},
        untouched,
    },
    http::fuzzing,
    operations::Deployment,
    store::ListCursor,
};
use rust_decimal::Decimal;

fn deployment() -> Deployment {
    let lender = |name: &str| (name.to_owned(), name.to_owned());
    Deployment {
        office_id: 1,
        payment_type: Some("UTR".to_owned()),
        lenders: vec![lender("UGRO"), lender("DMI")],
    }
}

fn text(data: &[u8]) -> Option<&str> {
    std::str::from_utf8(data).ok()
}

/// The body of an operation: its payload is a part of the body, word for word.
pub fn envelope(data: &[u8]) {
    let Some((_, payload)) = fuzzing::envelope(data, &deployment()) else {
        return;
    };
    let body = text(data).expect("a valid body is text");
    assert!(body.contains(payload), "the payload was changed");
    assert!(
        fuzzing::json_digest(data).is_some(),
        "no digest of a valid body"
    );
}

/// An upload in JSON.
pub fn rows_json(data: &[u8]) {
    fuzzing::rows("json", data, deployment());
}

/// An upload with one row per line: each line that is not blank is a row.
pub fn rows_lines(data: &[u8]) {
    let body = data.strip_prefix("\u{feff}".as_bytes()).unwrap_or(data);
    let lines = body.split(|byte| *byte == b'\n');
    let lines = lines.filter(|line| !line.trim_ascii().is_empty()).count();
    if let Some((valid, refused)) = fuzzing::rows("lines", data, deployment()) {
        assert_eq!(
            valid + refused,
            lines.min(100),
            "a row was lost or invented"
        );
    }
}

/// An upload as a table.
pub fn rows_csv(data: &[u8]) {
    fuzzing::rows("csv", data, deployment());
}

/// A tracking id.
pub fn tracking_id(data: &[u8]) {
    if let Some(read) = text(data).and_then(|text| text.parse::<TrackingId>().ok()) {
        assert_eq!(read.to_string().parse(), Ok(read));
    }
}

/// `Prefer: wait=N`: at most 50 s.
pub fn prefer(data: &[u8]) {
    if let Some(applied) = fuzzing::wait(data) {
        let seconds = applied
            .strip_prefix("wait=")
            .and_then(|n| n.parse::<u64>().ok());
        assert!(seconds.is_some_and(|seconds| seconds <= 50), "{applied}");
    }
}

/// `Idempotency-Key`: visible ASCII, which may be sent again in quotes.
pub fn idempotency_key(data: &[u8]) {
    if let Some(key) = fuzzing::idempotency_key(data) {
        assert!((1..=255).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic()));
        let quoted = fuzzing::idempotency_key(format!("\"{key}\"").as_bytes());
        assert_eq!(quoted.as_ref(), Some(&key));
    }
}

/// A JSON value has the same digest however it is written.
pub fn json_digest(data: &[u8]) {
    let Some(digest) = fuzzing::json_digest(data) else {
        return;
    };
    let spaced = [b" \n", data, b"\t"].concat();
    assert_eq!(fuzzing::json_digest(&spaced), Some(digest));
}

/// A day is accepted only as it would be written.
pub fn day(data: &[u8]) {
    if let Some(text) = text(data)
        && let Some(day) = Day::from_text(text)
    {
        assert_eq!(day.to_string(), text);
    }
}

/// An amount keeps its value when it is sent and stored. Callers' numbers have been read as JSON before.
pub fn decimal(data: &[u8]) {
    let Some(text) = text(data) else { return };
    let Some(amount) = Amount::from_json_number(text) else {
        return;
    };
    let sent = serde_json::to_string(&amount).expect("an amount can be sent");
    assert_eq!(Amount::from_json_number(&sent), Some(amount), "{sent}");
    assert!(
        serde_json::from_str::<serde_json::Number>(&sent).is_ok(),
        "{sent}"
    );
    assert_eq!(amount.without_zeros_beyond(2), amount, "zeros have a value");
    if let Some(whole) = amount.whole() {
        assert_eq!(Decimal::from_i128_with_scale(whole, 0), amount.0);
    }
}

/// An answer of Fineract: two bytes of a status, a byte of flags, and the body.
pub fn answer(data: &[u8]) {
    let Some(([high, low, flags], body)) = data.split_first_chunk() else {
        return;
    };
    let body = String::from_utf8_lossy(body).into_owned();
    // What becomes of a body that is read.
    drop(Client::parse(&body));
    drop(Product::parse(&body));
    drop(Named::parse_list(&body));
    drop(Transaction::parse(&body));
    drop(Audited::parse(&body));
    if let Ok(loan) = Loan::parse(&body) {
        let paid = loan.paid();
        assert!(loan.disbursements().count() > 0 || paid.0.is_zero());
        loan.repayments().count();
    }
    if let Some(raw) = untouched(body.clone()) {
        let is_json = raw.get() == body.trim_matches([' ', '\t', '\n', '\r']);
        assert!(is_json || serde_json::from_str::<String>(raw.get()).ok().as_ref() == Some(&body));
    }
    let answer = Answer {
        status: 100 + u16::from_le_bytes([*high, *low]) % 500,
        cached: flags & 1 == 1,
        body,
        retry_after: (flags & 2 == 2).then_some(Duration::from_secs(1)),
    };
    answer.codes();
    let patience = Patience {
        stuck_after: Duration::from_secs(300),
    };
    decision::decide(&Reply::Answer(answer), &History::new(&[]), patience);
}

/// `traceparent`: what is read is passed on as the same.
pub fn traceparent(data: &[u8]) {
    if let Some(read) = text(data).and_then(|text| text.parse::<TraceParent>().ok()) {
        assert_eq!(read.to_string().parse(), Ok(read));
        assert!(read.trace_id != 0 && read.span_id != 0);
    }
}

/// The secret of a key.
pub fn key_secret(data: &[u8]) {
    if let Some(secret) = CredentialSecret::parse(data) {
        assert_eq!(secret.reveal().as_bytes(), data);
        assert!(
            !format!("{secret:?}").contains(secret.reveal()),
            "the secret is shown"
        );
    }
}

/// The cursor of a list.
pub fn cursor(data: &[u8]) {
    if let Some(read) = text(data).and_then(|text| text.parse::<ListCursor>().ok()) {
        assert_eq!(read.to_string().parse(), Ok(read));
    }
}
