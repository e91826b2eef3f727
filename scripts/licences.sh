#!/bin/sh
# Prints the licences of all crates from which the gateway is built: first a list of the crates, then every text once, with
# the crates that it belongs to. Takes the texts from the sources that cargo has downloaded.
set -eu
cd "$(dirname "$0")/.."

sources=${CARGO_HOME:-$HOME/.cargo}/registry/src
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# Procedural macros run in the compiler and are not in the binary.
cargo tree --locked --package fineract-gateway --edges normal --prefix none --format '{p}|{l}' |
    sed 's/ (\*)$//' | grep -v -e '(proc-macro)' -e '^fineract-gateway ' | sort -u >"$scratch/crates"
echo "fineract-gateway is built from these crates. A crate without a text of its own has only named its licence."
echo
sed 's/ v\([^|]*\)|/ \1: /' "$scratch/crates"

mkdir "$scratch/texts" "$scratch/users"
while IFS='|' read -r crate _; do
    name=${crate% v*}
    version=${crate##* v}
    # The crate of jemalloc has its C source in a folder.
    for text in "$sources"/*/"$name-$version"/* "$sources"/*/"$name-$version"/jemalloc/COPYING; do
        case ${text##*/} in
        *.rs | *.toml) continue ;;
        [Ll][Ii][Cc][Ee][Nn][CcSs][Ee]* | COPY* | NOTICE* | UNLICENSE*) ;;
        *) continue ;;
        esac
        [ -f "$text" ] || continue
        sum=$(cksum <"$text" | tr ' ' '-')
        cp "$text" "$scratch/texts/$sum"
        echo "$name $version" >>"$scratch/users/$sum"
    done
done <"$scratch/crates"

for text in "$scratch"/texts/*; do
    echo
    echo "================================================================================"
    sort -u "$scratch/users/${text##*/}" | paste -sd ',' | sed 's/,/, /g'
    echo
    cat "$text"
done
