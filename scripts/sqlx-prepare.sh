#!/bin/sh
# Writes into FOLDER what the checked queries need to be compiled without a database.
#
#   DATABASE_URL=an-empty-database scripts/sqlx-prepare.sh FOLDER
#
# psql applies the migrations, not the gateway: it cannot be compiled before its queries are known.
set -eu
cd "$(dirname "$0")/.."

fresh=$(mktemp -d)
trap 'rm -rf "$fresh"' EXIT

for migration in migrations/*.sql; do
    psql --quiet --no-psqlrc --single-transaction --set=ON_ERROR_STOP=1 \
        --dbname="$DATABASE_URL" --file="$migration" >/dev/null
done
# Where the gateway keeps which migrations were applied; a query asks for it.
psql --quiet --no-psqlrc --dbname="$DATABASE_URL" --command='CREATE TABLE _sqlx_migrations (version bigint PRIMARY KEY, success boolean NOT NULL)'
# The macros write only when they run: nothing may be up to date.
touch src/lib.rs tests/it/main.rs crates/gateway-lab/src/main.rs
SQLX_OFFLINE=false SQLX_TMP=$fresh SQLX_OFFLINE_DIR=$fresh cargo check --workspace --all-targets --locked --quiet

mkdir -p "$1"
rm -f "$1"/query-*.json
find "$fresh" -name 'query-*.json' -exec cp {} "$1" \;
