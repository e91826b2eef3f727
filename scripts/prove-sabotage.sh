#!/bin/sh
# Has gateways do one thing wrong on purpose, each in turn, and expects `prove` to object to it.
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
    # It shows only where an operation's deadline passes while Fineract cannot be read about it.
    expire_unread) card='unreadable past a deadline' ;;
    # It shows only where Fineract ignores keys.
    trusts_keys) card='keys ignored' ;;
    # It shows only where Fineract gives a number to another.
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
