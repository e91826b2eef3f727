//! The warning of a gateway at its start about what it would not know after a restore.

use std::process::Stdio;

use sqlx::PgPool;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    time::timeout,
};

use super::Database;
use crate::support::{command::program, eventually::DEADLINE};

/// Without a payment type, a UTR has no field of its own in Fineract. After a restore, the gateway may then not know
/// that the UTR was used. Each start warns about this.
#[sqlx::test]
async fn each_start_warns_while_the_payment_type_is_not_set(pool: PgPool) {
    let url = Database::new(&pool).url.to_string();
    for (payment_type, is_warned) in [("", true), ("Bank transfer", false)] {
        let settings = [
            ("DATABASE_URL", url.as_str()),
            ("HTTP_LISTEN", "127.0.0.1:0"),
            ("INTERNAL_TOKENS", "los=secret"),
            ("ROLE", "api"),
            ("FINERACT_PAYMENT_TYPE", payment_type),
        ];
        let mut serving = program(&["serve"], &settings)
            .stderr(Stdio::piped())
            .spawn()
            .expect("the gateway starts");
        let mut lines = BufReader::new(serving.stderr.take().expect("a pipe")).lines();
        let mut log = Vec::new();
        while !log
            .iter()
            .any(|line: &String| line.contains("the gateway runs"))
        {
            let line = timeout(DEADLINE, lines.next_line()).await.expect("in time");
            log.push(line.expect("text").expect("the gateway runs"));
        }
        let warned = log.iter().any(|line| {
            line.contains("\"WARN\"") && line.contains("FINERACT_PAYMENT_TYPE is not set")
        });
        assert_eq!(warned, is_warned, "{log:?}");
        serving
            .kill()
            .await
            .expect("the gateway runs until it is killed");
    }
}
