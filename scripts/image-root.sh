#!/bin/sh
# Builds the release and lays out the root file system of the image in FOLDER: the gateway, the libraries that it loads,
# the certificates of public authorities, the account it runs under, a bill of materials, and the licences. No shell, and
# nothing to write to. The Dockerfile runs this script, and so does scripts/image.sh, which tests the result.
#
#   scripts/image-root.sh FOLDER      on Debian or Ubuntu
set -eu
cd "$(dirname "$0")/.."

folder=$1
target=${CARGO_TARGET_DIR:-target}
document=usr/share/doc/fineract-gateway
umask 022
mkdir -p "$folder"

# The binary names the crates that it was built from, in a section that scanners for vulnerabilities read.
scripts/cargo-tool.sh auditable build --release --locked
install -D "$target/release/fineract-gateway" "$folder/usr/local/bin/fineract-gateway"

# cargo-cyclonedx writes one file beside the manifest of each package.
scripts/cargo-tool.sh cyclonedx --quiet --format json --spec-version 1.5 --override-filename gateway-sbom
mkdir -p "$folder/$document"
# Its ids contain the folder of the sources.
sed "s|path+file://$PWD||" gateway-sbom.json >"$folder/$document/sbom.cdx.json"
rm -f gateway-sbom.json crates/*/gateway-sbom.json
scripts/licences.sh >"$folder/$document/LICENCES.txt"

# A scanner of images finds the packages of the distribution in status.d.
describe() {
    mkdir -p "$folder/var/lib/dpkg/status.d" "$folder/usr/share/doc/$1"
    dpkg-query --status "$1" >"$folder/var/lib/dpkg/status.d/$1"
    cp "/usr/share/doc/$1/copyright" "$folder/usr/share/doc/$1/"
}
for library in $(ldd "$target/release/fineract-gateway" | sed -n 's/^.*[[:space:]]\(\/[^ ]*\) .*$/\1/p'); do
    install -D "$library" "$folder$library"
    owner=$(dpkg-query --search "$library" 2>/dev/null || dpkg-query --search "/usr$library")
    describe "${owner%%:*}"
done

# Only the authorities of the package, not those that somebody has added to this machine.
mkdir -p "$folder/etc/ssl/certs"
cat /usr/share/ca-certificates/mozilla/*.crt >"$folder/etc/ssl/certs/ca-certificates.crt"
describe ca-certificates

echo 'gateway:x:10001:10001:fineract-gateway:/:/nonexistent' >"$folder/etc/passwd"
echo 'gateway:x:10001:' >"$folder/etc/group"
# /etc/hosts counts before DNS, as everywhere.
echo 'hosts: files dns' >"$folder/etc/nsswitch.conf"
