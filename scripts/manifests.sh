#!/bin/sh
# Checks deploy/kubernetes against Kubernetes' own schemas and against the gateway, and the unit in deploy/systemd. Installs
# kubernetes-validate from PyPI into target/.
#
#   scripts/manifests.sh FOLDER      FOLDER has the program fineract-gateway
set -eu

version=1.37.0
program=$(realpath "$1/fineract-gateway")
cd "$(dirname "$0")/.."
environment=target/kubernetes-validate
if ! [ -e "$environment/$version" ]; then
    echo "manifests: installing kubernetes-validate $version from PyPI into $environment" >&2
    rm -rf "$environment"
    python3 -m venv "$environment"
    "$environment/bin/pip" install --quiet --disable-pip-version-check "kubernetes-validate==$version"
    touch "$environment/$version"
fi
"$environment/bin/python" scripts/check-manifests.py "$program"

if command -v systemd-analyze >/dev/null; then
    unit=$(mktemp -d)
    trap 'rm -rf "$unit"' EXIT
    sed "s|/usr/local/bin/fineract-gateway|$program|" deploy/systemd/fineract-gateway.service \
        >"$unit/fineract-gateway.service"
    systemd-analyze verify "$unit/fineract-gateway.service"
    # The exposure, from 0 to 10, must be below 2.0.
    systemd-analyze security --no-pager --offline=yes --threshold=20 "$unit/fineract-gateway.service" >"$unit/exposure" || {
        cat "$unit/exposure" >&2
        exit 1
    }
    tail -n 1 "$unit/exposure"
fi
