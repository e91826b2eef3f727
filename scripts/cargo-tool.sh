#!/bin/sh
# Runs a subcommand of cargo that the image or the checks before a release need: auditable, cyclonedx, deny or fuzz.
#
#   scripts/cargo-tool.sh deny check licenses
#
# Takes the program from target/tools. If this version is not there yet, first builds it from crates.io, which takes some
# minutes. It is not installed anywhere else.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
tools=${CARGO_TARGET_DIR:-$root/target}/tools

case $1 in
auditable) version=0.7.7 ;;
cyclonedx) version=0.5.9 ;;
deny) version=0.20.2 ;;
fuzz) version=0.13.2 ;;
*)
    echo "cargo-tool: no version of cargo-$1 is known" >&2
    exit 2
    ;;
esac

folder=$tools/$1-$version
if [ ! -x "$folder/bin/cargo-$1" ]; then
    echo "cargo-tool: building cargo-$1 $version into $folder" >&2
    # Built without optimization, because the tools work for seconds.
    CARGO_TARGET_DIR=$tools/build cargo install --quiet --locked --profile dev --root "$folder" "cargo-$1@$version" >&2
fi
exec "$folder/bin/cargo-$1" "$@"
