#!/bin/sh
# Makes the root file system of the image without a container engine, and tests it as a container would run it: as user
# 10001, in a root that is mounted read-only. Leaves it as target/image.tar (`docker import` takes it).
#
#   scripts/image.sh       on Debian or Ubuntu, as root; needs target/debug/fineract-sandbox and private-postgres
set -eu
cd "$(dirname "$0")/.."

# The largest size of the tar, in bytes.
limit=40000000
umask 022
programs=target/debug
image=$PWD/target/image
program=/usr/local/bin/fineract-gateway

fail() {
    echo "image: $*" >&2
    exit 1
}

build() {
    # Builds from what the Dockerfile sees, so that .dockerignore is tested too.
    rm -rf "$image"
    mkdir -p "$image/context" "$image/root"
    SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
    # The context lacks rust-toolchain.toml.
    RUSTUP_TOOLCHAIN=$(sed -n 's/^channel = "\(.*\)"/\1/p' rust-toolchain.toml)
    export SOURCE_DATE_EPOCH RUSTUP_TOOLCHAIN
    # shellcheck disable=SC2046 # a list of paths
    tar -c $(sed -n 's/^!//p' .dockerignore) | tar -x -C "$image/context"
    CARGO_TARGET_DIR=$PWD/target SQLX_OFFLINE=true "$image/context/scripts/image-root.sh" "$image/root"
    rm -rf "$image/context"
    # The same sources give the same file.
    tar --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$SOURCE_DATE_EPOCH" -C "$image/root" \
        -cf target/image.tar .
}

# Runs the gateway in the image, in the place of this shell. The settings are a list of NAME=VALUE without blanks.
inside() { # inside 'SETTINGS' WORD…
    settings=$1
    shift
    # shellcheck disable=SC2016,SC2086 # the inner shell expands its text; a list of words
    exec env -i "PATH=$PATH" $settings unshare --mount sh -euc '
        mount --bind "$0" "$0"
        mount -o remount,bind,ro "$0"
        if touch "$0/written" 2>/dev/null; then
            echo "image: the root can be written to" >&2
            exit 1
        fi
        exec chroot --userspec=10001:10001 --groups=10001 "$0" "$@"' "$image/root" "$program" "$@"
}

run() { # run 'SETTINGS' WORD…
    (inside "$@")
}

check_files() {
    size=$(wc -c <target/image.tar)
    [ "$size" -le $limit ] || fail "target/image.tar has $size bytes, more than $limit"
    for name in sh bash busybox ld; do
        [ -z "$(find "$image/root" -name "$name")" ] || fail "there is a program $name"
    done
    [ -z "$(find "$image/root" ! -type d ! -type f)" ] || fail "there is something besides files and folders"
    [ -z "$(find "$image/root" -perm /6022)" ] || fail "a file is writable for others, or runs as another user"
    # The bill of materials names the crates that the binary was built from.
    objcopy --dump-section ".dep-v0=$image/crates" "$image/root$program" "$image/copy" ||
        fail "the binary does not name its crates"
    python3 scripts/compare-sbom.py "$image/crates" "$image/root/usr/share/doc/fineract-gateway/sbom.cdx.json"
}

check_programs() {
    version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
    [ "$(run '' --version)" = "fineract-gateway $version" ] || fail "--version prints $(run '' --version)"
    run '' --help | grep -q setup-fineract || fail "--help does not list the commands"

    port=$((20000 + $$ % 20000))
    fineract=$((port + 1))
    database="DATABASE_URL=$DATABASE_URL"
    caller="GATEWAY_URL=http://127.0.0.1:$port GATEWAY_TOKEN=secret-of-the-test"
    gateway=
    "$programs/fineract-sandbox" --listen "127.0.0.1:$fineract" >"$image/sandbox.log" 2>&1 &
    sandbox=$!
    trap 'kill $sandbox $gateway 2>/dev/null || true' EXIT
    run "$database" migrate
    inside "$database INTERNAL_TOKENS=los=secret-of-the-test HTTP_LISTEN=127.0.0.1:$port
        FINERACT_URL=http://127.0.0.1:$fineract/fineract-provider/api/v1 FINERACT_USER=mifos
        FINERACT_PASSWORD=password" serve --no-migrate >"$image/gateway.log" 2>&1 &
    gateway=$!
    deadline=$(($(date +%s) + 30))
    until run "$caller" health 2>/dev/null; do
        [ "$(date +%s)" -lt $deadline ] || fail "the gateway does not start: $(cat "$image/gateway.log")"
    done
    run "$caller" operate CLIENT_CREATE externalId=CLI-1 firstname=Asha lastname=Rao \
        'activationDate=11 January 2026' --wait 30 ||
        fail "an operation does not succeed: $(cat "$image/gateway.log")"
    user=$(sed -n 's/^Uid:[[:space:]]*//p' "/proc/$gateway/status")
    [ "$user" = "$(printf '10001\t10001\t10001\t10001')" ] || fail "it runs as the user $user"
    kill -TERM $gateway
    wait $gateway || fail "the gateway does not end well: $(cat "$image/gateway.log")"
}

if [ -z "${IMAGE_INSIDE-}" ]; then
    [ "$(id -u)" -eq 0 ] || fail "must be root, for chroot"
    build
    check_files
    IMAGE_INSIDE=1 "$programs/private-postgres" run --no-fsync -- scripts/image.sh
    echo "target/image.tar: $(wc -c <target/image.tar) bytes"
else
    check_programs
fi
