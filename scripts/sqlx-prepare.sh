#!/bin/sh
# Writes the data that sqlx needs to compile the checked queries without a database into FOLDER.
#
#   DATABASE_URL=an-empty-database scripts/sqlx-prepare.sh FOLDER [OPTION FOR CLIPPY]…
#
# Applies the migrations with psql and not with the gateway, because the gateway compiles only after its queries are
# checked.
set -eu
cd "$(dirname "$0")/.."

folder=$1
shift
fresh=$(mktemp -d)
trap 'rm -rf "$fresh"' EXIT

for migration in migrations/*.sql; do
    psql --quiet --no-psqlrc --single-transaction --set=ON_ERROR_STOP=1 \
        --dbname="$DATABASE_URL" --file="$migration" >/dev/null
done
# Creates the table in which the gateway records the applied migrations, because one of the gateway's queries reads it.
psql --quiet --no-psqlrc --dbname="$DATABASE_URL" --command='CREATE TABLE _sqlx_migrations (version bigint PRIMARY KEY, success boolean NOT NULL, checksum bytea NOT NULL)'
# The macros write their data only when a crate is compiled. The changed times make cargo compile the crates again.
touch src/lib.rs tests/it/main.rs crates/gateway-lab/src/main.rs
SQLX_OFFLINE=false SQLX_TMP=$fresh SQLX_OFFLINE_DIR=$fresh cargo clippy --workspace --all-targets --locked --quiet -- "$@"

mkdir -p "$folder"
rm -f "$folder"/query-*.json
find "$fresh" -name 'query-*.json' -exec cp {} "$folder" \;
