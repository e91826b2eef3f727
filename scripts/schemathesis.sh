#!/bin/sh
# Sends valid and invalid requests, made of the OpenAPI document, to a gateway with the sandbox, and compares the
# answers with the document: no undocumented status, no 5xx, no body or header that is not as described, no accepted
# data that the document forbids, and 405 with `Allow` for other methods. Installs schemathesis from PyPI into target/.
#
#   scripts/schemathesis.sh FOLDER          the same requests each time, for at most 3 minutes
#   scripts/schemathesis.sh FOLDER --all    all phases, more and new requests, without a limit
#
# What is left out, besides what scripts/schemathesis.toml leaves out:
# - That valid data is accepted: whether it is, also depends on what a schema cannot say. The 31st of February is
#   refused, a third decimal place, a text of 50 emoji (Fineract counts UTF-16 units), a term that is no multiple of its
#   instalments, and an action that the state of the operation does not permit.
# - That credentials are required: all four are in every request. tests/it sends requests without each of them.
# - Batches as CSV and NDJSON: their rows have no schema. tests/it/bulk has them.
#
# FOLDER has the programs fineract-gateway, fineract-sandbox and private-postgres.
set -eu

if [ -z "${SCHEMATHESIS_INSIDE-}" ]; then
    folder=$(realpath "$1")
    cd "$(dirname "$0")/.."
    SCHEMATHESIS_INSIDE=1 exec "$folder/private-postgres" run --no-fsync -- scripts/schemathesis.sh "$folder" "${2-}"
fi

folder=$1
mode=${2-}
environment=$(scripts/pypi-tool.sh schemathesis 4.32.5)

scratch=$(mktemp -d)
gateway=
sandbox=
trap 'kill $gateway $sandbox 2>/dev/null || true; rm -rf "$scratch"' EXIT

port=$((20000 + $$ % 20000))
fineract=$((port + 1))
"$folder/fineract-sandbox" --listen "127.0.0.1:$fineract" >"$scratch/sandbox.log" 2>&1 &
sandbox=$!
export HTTP_LISTEN="127.0.0.1:$port" LOG_FILTER=error \
    INTERNAL_TOKENS=los=los-secret OPS_TOKENS=ops=ops-secret API_KEYS=lender=lender-key \
    BULK_CLIENTS=lender=lender-id:lender-secret:lender-app:lender-org \
    FINERACT_URL="http://127.0.0.1:$fineract/fineract-provider/api/v1" FINERACT_USER=mifos FINERACT_PASSWORD=password
"$folder/fineract-gateway" serve >"$scratch/gateway.log" 2>&1 &
gateway=$!
until curl --silent --fail --output "$scratch/ready" "http://127.0.0.1:$port/readyz"; do
    if ! kill -0 "$gateway"; then
        cat "$scratch/gateway.log" >&2
        exit 1
    fi
    sleep 0.1
done

run() {
    settings=$1
    shift
    "$environment/bin/st" --config-file "$settings" run "http://127.0.0.1:$port/openapi.json" \
        --continue-on-failure "$@"
}

# Routes about one operation are tested with one that exists, too. Where an invalid id was to be sent, this valid one is
# sent, so nothing is to be refused.
tracking_id=$(curl --silent --fail "http://127.0.0.1:$port/fineract/operate" -H 'X-Internal-Token: los-secret' \
    -H 'Content-Type: application/json' -H 'Prefer: wait=5' -d '{"status": "LOAN_DISBURSE",
        "data": {"external_loan_id": "LOAN-0", "actualDisbursementDate": "11 January 2026"}}' |
    sed -n 's/.*"tracking_id":"\([^"]*\)".*/\1/p')
{
    cat scripts/schemathesis.toml
    echo '[[operations]]'
    echo 'include-path-regex = "/(operations|track|transactions)/"'
    echo "parameters = { id = \"${tracking_id#*|}\", tracking_id = \"$tracking_id\" }"
} >"$scratch/one-operation.toml"

run_both() {
    run scripts/schemathesis.toml "$@"
    run "$scratch/one-operation.toml" "$@" --include-path-regex '/(operations|track|transactions)/\{' \
        --exclude-checks negative_data_rejection
}
if [ "$mode" = --all ]; then
    run_both --phases examples,coverage,fuzzing,stateful --max-examples 200 --generation-database none
else
    run_both --phases examples,coverage,fuzzing --max-examples 20 --generation-deterministic
fi
# An answer of 5xx is an error in the log, and a panic is too.
if grep . "$scratch/gateway.log"; then
    echo "schemathesis: the gateway has logged errors" >&2
    exit 1
fi
