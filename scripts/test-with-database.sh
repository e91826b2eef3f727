#!/bin/sh
# Runs the checks that need a database: clippy, whether .sqlx is up to date, and the tests.
#
#   DATABASE_URL=an-empty-database scripts/test-with-database.sh
set -eu
cd "$(dirname "$0")/.."

scripts/pgbouncer.sh
fresh=$(mktemp -d)
trap 'rm -rf "$fresh"' EXIT
scripts/sqlx-prepare.sh "$fresh" -D warnings
if ! diff -r .sqlx "$fresh"; then
    echo "The queries and .sqlx differ. Run \`make sqlx\`, and commit what it writes." >&2
    exit 1
fi

# Does not use cargo-nextest. Nearly all tests are in one binary, whose tests cargo runs in parallel as well, and a new
# machine would first have to build or download cargo-nextest. Uses two threads per core, because most tests spend most
# of their time waiting for a call or a lease.
RUST_TEST_THREADS=${RUST_TEST_THREADS:-$(($(nproc) * 2))} cargo test --workspace --locked
