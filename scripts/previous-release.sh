#!/bin/sh
# Builds the gateway of the previous release and prints the path of its binary. `prove --upgrade` runs it beside the
# gateway of this tree. Keeps the sources and the build in target/previous, so that a second call is quick.
#
#   scripts/previous-release.sh
#
# A release changes `commit` to the commit that set its version: upgrades are supported from one release to the next.
set -eu
cd "$(dirname "$0")/.."

# Set version 0.2.0 and describe claims on acceptance
commit=cd245656d76fa87fae94f2c94e31189897b4f488

mkdir -p target/previous
folder=$(cd target/previous && pwd -P)
program=$folder/build/debug/fineract-gateway
if [ "$(cat "$folder/built" 2>/dev/null)" != $commit ]; then
    git cat-file -e "$commit^{commit}" 2>/dev/null || {
        echo "previous-release: this clone lacks commit $commit: git fetch --unshallow" >&2
        exit 1
    }
    rm -rf "$folder/source" "$folder/built"
    mkdir "$folder/source"
    git archive $commit | tar -x -C "$folder/source"
    (cd "$folder/source" && CARGO_TARGET_DIR=$folder/build SQLX_OFFLINE=true cargo build --locked --quiet >&2)
    echo $commit >"$folder/built"
fi
echo "$program"
