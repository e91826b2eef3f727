#!/bin/sh
# The gateway may answer before it has read the request's body. Counts how many of these answers reach the callers. Uses
# the HTTP clients of Python, Node, Go and Java, as far as they are installed. Starts a gateway on a private Postgres.
#
#   scripts/early-answers.sh PROGRAM [TIMES]
#
# Prints one row for each case, and exits with 1 if an answer was lost.
set -eu

if [ -z "${EARLY_ANSWERS_INSIDE-}" ]; then
    program=$(realpath "$1")
    cd "$(dirname "$0")/.."
    EARLY_ANSWERS_INSIDE=1 exec "${program%/*}/private-postgres" run --no-fsync -- "scripts/early-answers.sh" "$program" "${2-50}"
fi

program=$1
times=$2
scratch=$(mktemp -d)
trap 'kill "$gateway" 2>/dev/null || true; rm -rf "$scratch"' EXIT

port=$((20000 + $$ % 20000))
base="http://127.0.0.1:$port"
export HTTP_LISTEN="127.0.0.1:$port" HTTP_BASE_PATH=/api ROLE=api LOG_FILTER=error \
    INTERNAL_TOKENS=los=los-secret OPS_TOKENS=ops=ops-secret API_KEYS=lender=lender-key \
    BULK_CLIENTS=lender=lender-id:lender-secret:lender-app:lender-org \
    FINERACT_URL=http://127.0.0.1:1/api/v1 FINERACT_USER=nobody FINERACT_PASSWORD=nothing
"$program" serve &
gateway=$!

# name, method, URL, headers, size of the body, status
row() {
    printf '%s\t%s\t%s\t%s\t%s\t%s\n' "$1" "$2" "$base$3" "$4" "$5" "$6"
}
json='"Content-Type": "application/json"'
los="\"X-Internal-Token\": \"los-secret\""
lender='"client_id": "lender-id", "client_secret": "lender-secret", "appIdentifier": "lender-app", "organisationId": "lender-org"'
id=406362bf-f3da-4bc6-a506-d67e0878b7b6
{
    row "401 operate 60 kB" POST /fineract/operate "{$json}" 60000 401
    row "401 operate 2 MB" POST /fineract/operate "{$json}" 2000000 401
    row "401 operate 2 MB, Expect" POST /fineract/operate "{$json, \"Expect\": \"100-continue\"}" 2000000 401
    row "413 operate 100 kB" POST /fineract/operate "{$los, $json}" 100000 413
    row "413 operate 2 MB" POST /api/fineract/operate "{$los, $json}" 2000000 413
    row "415 operate 2 MB" POST /fineract/operate "{$los, \"Content-Type\": \"text/plain\"}" 2000000 415
    row "400 operate 60 kB" POST /fineract/operate "{$los, $json}" 60000 400
    row "405 operate 2 MB" PUT /fineract/operate "{$los, $json}" 2000000 405
    row "404 no route 2 MB" POST /fineract/nothing "{$los, $json}" 2000000 404
    row "404 track 2 MB" GET "/fineract/track/CLIENT_CREATE%7C$id" "{$los}" 2000000 404
    row "403 operators 2 MB" POST "/fineract/operations/$id/cancel" "{$los, $json}" 2000000 403
    row "401 bulk 8 MB" POST /bulk/schedule "{$json}" 8000000 401
    row "415 bulk 8 MB" POST /bulk/schedule "{$lender, \"Content-Type\": \"text/plain\"}" 8000000 415
    row "401 transaction 2 MB" GET "/transactions/$id/" "{$json}" 2000000 401
} >"$scratch/cases"

until curl --silent --fail --output "$scratch/ready" "$base/readyz"; do
    kill -0 "$gateway"
    sleep 0.1
done

clients=tests/clients
names=
run() {
    client=$1
    shift
    "$@" "$times" <"$scratch/cases" >"$scratch/$client.answers"
    names="$names $client"
}
if python3 -c 'import requests' 2>"$scratch/error"; then
    run python python3 $clients/client.py
fi
if command -v node >"$scratch/which"; then
    run node node $clients/client.mjs
fi
if command -v go >"$scratch/which"; then
    GOCACHE="$scratch/go" go build -o "$scratch/client-go" $clients/client.go
    run go "$scratch/client-go"
fi
if command -v javac >"$scratch/which"; then
    javac -d "$scratch" $clients/Client.java
    # Omits the case with Expect: the HTTP client of Java 17 waits for ever for a 100 if another answer comes instead.
    run java sh -c "grep -v Expect | java -cp '$scratch' Client \"\$1\"" java
fi

echo "Answers received, of $times each:"
tab=$(printf '\t')
lost=0
printf '| case |'
for name in $names; do printf ' %s |' "$name"; done
echo
while IFS="$tab" read -r case _; do
    printf '| %s |' "$case"
    for name in $names; do
        answers=$(awk -F "$tab" -v wanted="$case" '$1 == wanted { print $2 ($3 == "" ? "" : " (" $3 ")") }' "$scratch/$name.answers")
        printf ' %s |' "$answers"
        [ "${answers:-$times}" = "$times" ] || lost=1
    done
    echo
done <"$scratch/cases"
exit $lost
