#!/bin/sh
# Puts PgBouncer for the tests into target/pgbouncer, from the package of Debian or Ubuntu. The package is downloaded
# and unpacked, but not installed, and no service is started. Does nothing if PgBouncer is already there.
set -eu
cd "$(dirname "$0")/.."

folder=target/pgbouncer
[ ! -x $folder/usr/sbin/pgbouncer ] || exit 0
command -v apt-get >/dev/null && command -v dpkg >/dev/null || {
    echo "pgbouncer: the tests need PgBouncer as $PWD/$folder/usr/sbin/pgbouncer" >&2
    exit 1
}

mkdir -p target
fresh=$(mktemp -d target/pgbouncer.XXXXXX)
trap 'rm -rf "$fresh"' EXIT
# Also downloads the libraries that only PgBouncer needs. Its other libraries come with Postgres.
fetch() {
    packages="pgbouncer $(apt-cache depends pgbouncer | sed -n 's/^ *Depends: \(libc-ares\|libevent\)/\1/p')"
    # shellcheck disable=SC2086 # a list of words
    (cd "$fresh" && apt-get download -qq -o APT::Sandbox::User=root $packages)
}
fetch || {
    as_root=
    [ "$(id -u)" -eq 0 ] || as_root=sudo
    $as_root apt-get update -qq
    fetch
}
for package in "$fresh"/*.deb; do
    dpkg -x "$package" "$fresh/unpacked"
    rm "$package"
done
rm -rf $folder
mv "$fresh/unpacked" $folder
