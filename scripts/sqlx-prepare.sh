#!/bin/sh
# Writes into FOLDER the data with which the checked queries compile without a database.
#
#   DATABASE_URL=an-empty-database scripts/sqlx-prepare.sh FOLDER
#
# psql applies the migrations, because the gateway cannot be compiled before its queries are checked.
set -eu
cd "$(dirname "$0")/.."

fresh=$(mktemp -d)
trap 'rm -rf "$fresh"' EXIT

for migration in migrations/*.sql; do
    psql --quiet --no-psqlrc --single-transaction --set=ON_ERROR_STOP=1 \
        --dbname="$DATABASE_URL" --file="$migration" >/dev/null
done
# The table in which the gateway records the applied migrations. One of its queries reads it.
psql --quiet --no-psqlrc --dbname="$DATABASE_URL" --command='CREATE TABLE _sqlx_migrations (version bigint PRIMARY KEY, success boolean NOT NULL)'
# The macros write their data only when the crates are compiled, so cargo must consider them out of date.
touch src/lib.rs tests/it/main.rs crates/gateway-lab/src/main.rs
SQLX_OFFLINE=false SQLX_TMP=$fresh SQLX_OFFLINE_DIR=$fresh cargo check --workspace --all-targets --locked --quiet

mkdir -p "$1"
rm -f "$1"/query-*.json
find "$fresh" -name 'query-*.json' -exec cp {} "$1" \;
