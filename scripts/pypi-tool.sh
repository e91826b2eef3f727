#!/bin/sh
# Prints the folder of a virtual environment in target/ that has this version of a program from PyPI. Makes it first if
# it is not there yet.
#
#   scripts/pypi-tool.sh schemathesis 4.32.5
set -eu
cd "$(dirname "$0")/.."

environment=target/$1
if ! [ -e "$environment/$2" ]; then
    echo "pypi-tool: installing $1 $2 from PyPI into $environment" >&2
    rm -rf "$environment"
    python3 -m venv "$environment"
    "$environment/bin/pip" install --quiet --disable-pip-version-check "$1==$2" >&2
    touch "$environment/$2"
fi
echo "$environment"
