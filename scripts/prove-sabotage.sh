#!/bin/sh
# Runs `prove` once for each sabotage (a deliberate error of the gateways), and expects it to report a violation each
# time.
#
#   scripts/prove-sabotage.sh GATEWAY_LAB     built with the feature `faults`
set -u

program=$1
report=$(mktemp)
trap 'rm -f "$report"' EXIT
unnoticed=

for sabotage in no_reconcile no_fence new_key_after_unknown new_key_on_cached_409 guard_off \
    attempt_not_committed history_by_external_id cascade_off expire_unread trusts_keys trusts_numbers; do
    card=
    case $sabotage in
    # This error shows only if an attempt is completed after another worker has taken the operation over.
    no_fence) card='a zombie completes late' ;;
    # This error shows only if an operation's deadline passes while Fineract cannot be read.
    expire_unread) card='unreadable past a deadline' ;;
    # This error shows only if Fineract ignores idempotency keys.
    trusts_keys) card='keys ignored' ;;
    # This error shows only if Fineract gives a loan's number to another loan.
    trusts_numbers) card='a number given to another' ;;
    esac
    "$program" prove --sabotage "$sabotage" ${card:+--card "$card"} --rounds 50 --until-violation >"$report" 2>&1
    code=$?
    if [ $code -eq 1 ] && grep -q '^[1-9][0-9]* violations$' "$report"; then
        rounds=$(grep -c '^round [0-9]*: [0-9]* operations' "$report")
        echo "$sabotage: found out in round $rounds: $(sed -n 's/^broken: //p' "$report" | paste -sd ';')"
    else
        echo "$sabotage: not noticed (exit code $code)"
        tail -n 3 "$report"
        unnoticed="$unnoticed $sabotage"
    fi
done
[ -z "$unnoticed" ]
