#!/bin/sh
# Installs the programs that the build and the private Postgres need and that this machine lacks, and reports what it
# installs. If nothing is missing, does nothing and prints nothing. Works on Debian and Ubuntu, as root or with sudo. On
# other systems, prints what is missing and exits with 1.
#
#   scripts/install.sh            what the build and the demo need
#   scripts/install.sh --tests    also the browser that the tests of the operators' page drive, and Python for schemathesis and the SDK
#   scripts/install.sh --fuzz     also a C++ compiler, which builds the fuzzer
set -eu
cd "$(dirname "$0")/.."

say() {
    echo "install: $*" >&2
}

packages=
missing=
lacks() { # lacks WORDS PACKAGE…
    missing="$missing${missing:+, }$1"
    shift
    packages="$packages $*"
}

has() {
    command -v "$1" >/dev/null 2>&1
}

compiles() {
    has cc && echo '#include <stdio.h>
        int main(void) { return 0; }' | cc -x c -o /dev/null - 2>/dev/null
}

# Debian and Ubuntu keep the server's programs outside of PATH.
has_postgres() {
    has psql && { has initdb || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1; }
}

# Whether cargo, rustfmt and clippy have at least the version of rust-toolchain.toml. With rustup, cargo uses exactly
# that version here.
rust_version=$(sed -n 's/^channel = "\(.*\)"/\1/p' rust-toolchain.toml)
has_rust() {
    has cargo && cargo fmt --version >/dev/null 2>&1 && cargo clippy --version >/dev/null 2>&1 &&
        found=$(cargo --version 2>/dev/null | cut -d ' ' -f 2) &&
        [ "$(printf '%s\n' "$rust_version" "$found" | sort -V | head -n 1)" = "$rust_version" ]
}

PATH=${CARGO_HOME:-$HOME/.cargo}/bin:$PATH
rust_missing=no
has_rust || rust_missing=yes

has make || lacks "make" make
compiles || lacks "a C compiler with its headers" gcc libc6-dev
has_postgres || lacks "PostgreSQL's server and psql" postgresql
[ -e /etc/ssl/certs/ca-certificates.crt ] || [ -e /etc/ssl/cert.pem ] ||
    lacks "certificates of public authorities" ca-certificates
if [ "${1-}" = --tests ] && ! { has chromium && has chromedriver; }; then
    if grep -qs '^ID=ubuntu' /etc/os-release; then
        say "the tests of the operators' page need Chromium and chromedriver. Ubuntu offers Chromium only as a snap, which"
        say "chromedriver cannot start here. Install both programs, of the same version, as chromium and chromedriver in PATH."
        exit 1
    fi
    lacks "Chromium and chromedriver" chromium chromium-driver
fi
if [ "${1-}" = --tests ] && ! python3 -c 'import ensurepip, venv' 2>/dev/null; then
    lacks "Python with its virtual environments" python3-venv
fi
if [ "${1-}" = --tests ] && ! has curl; then
    lacks "curl" curl
fi
if [ "${1-}" = --fuzz ] && ! has c++; then
    lacks "a C++ compiler" g++
fi
if [ $rust_missing = yes ] && ! has rustup && ! has curl; then
    lacks "curl" curl ca-certificates
fi

if [ -n "$packages" ]; then
    as_root=
    [ "$(id -u)" -eq 0 ] || as_root=sudo
    if ! has apt-get || { [ -n "$as_root" ] && ! has sudo; }; then
        say "this machine lacks $missing."
        say "On Debian and Ubuntu, as root or with sudo, this script installs:$packages."
        [ $rust_missing = no ] || say "It lacks Rust $rust_version too: see https://rustup.rs."
        exit 1
    fi
    say "this machine lacks $missing; installing$packages with apt-get"
    # Without this, Debian's package creates a cluster and starts it on port 5432. The gateway starts its own Postgres,
    # and a developer's machine must not be changed more than necessary.
    no_cluster=/etc/postgresql-common/createcluster.d/fineract-gateway.conf
    trap '$as_root rm -f "$no_cluster"' EXIT
    $as_root mkdir -p "${no_cluster%/*}"
    echo 'create_main_cluster = false' | $as_root tee "$no_cluster" >/dev/null
    $as_root apt-get update -qq
    # shellcheck disable=SC2086 # a list of words
    $as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -qq --yes --no-install-recommends $packages >/dev/null
fi

if [ $rust_missing = yes ]; then
    if ! has rustup; then
        say "installing rustup into ${CARGO_HOME:-$HOME/.cargo}"
        # The same script as at https://sh.rustup.rs, but from the host that also provides rustup itself.
        curl --proto '=https' --tlsv1.2 -sSfL https://static.rust-lang.org/rustup/rustup-init.sh |
            sh -s -- -q -y --no-modify-path --profile minimal --default-toolchain none >/dev/null
    fi
    say "installing Rust $rust_version"
    rustup toolchain install "$rust_version" --profile minimal \
        --component rustfmt --component clippy
fi
