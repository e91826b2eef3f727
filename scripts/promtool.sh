#!/bin/sh
# Runs promtool, which checks and tests Prometheus rules.
#
#   scripts/promtool.sh check rules deploy/prometheus/alerts.yml
#
# Takes promtool from target/promtool. If it is not there yet, first takes it out of the package prometheus of Debian or
# Ubuntu. The package is downloaded and unpacked, but not installed, and no service is started.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
promtool=$root/target/promtool/promtool

if [ ! -x "$promtool" ]; then
    command -v apt-get >/dev/null && command -v dpkg >/dev/null || {
        echo "promtool: the checks need promtool as $promtool" >&2
        exit 1
    }
    mkdir -p "$root/target"
    fresh=$(mktemp -d "$root/target/promtool.XXXXXX")
    trap 'rm -rf "$fresh"' EXIT
    fetch() {
        (cd "$fresh" && apt-get download -qq -o APT::Sandbox::User=root prometheus)
    }
    fetch || {
        as_root=
        [ "$(id -u)" -eq 0 ] || as_root=sudo
        $as_root apt-get update -qq
        fetch
    }
    dpkg -x "$fresh"/prometheus_*.deb "$fresh/unpacked"
    # Of the package, only this program is needed, which needs no library but libc.
    mkdir -p "${promtool%/*}"
    mv "$fresh/unpacked/usr/bin/promtool" "$promtool"
    rm -rf "$fresh"
fi
exec "$promtool" "$@"
