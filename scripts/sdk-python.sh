#!/bin/sh
# Checks the Python SDK: format, lints, types, and its tests against a gateway on a private Postgres, with the sandbox
# as Fineract. Makes a virtual environment in target/sdk-python, with the pinned tools from PyPI.
#
#   scripts/sdk-python.sh [ARGUMENT OF PYTEST]…
#
# Needs target/debug/fineract-gateway, fineract-sandbox and private-postgres, and Python 3.10 or later (PYTHON).
set -eu
cd "$(dirname "$0")/.."

sdk=sdk/python
environment=target/sdk-python
programs=$PWD/target/debug

# An environment of another project file is made again.
wanted=$(cksum $sdk/pyproject.toml)
if [ "$(cat $environment/made-of 2>/dev/null)" != "$wanted" ]; then
    rm -rf $environment
    "${PYTHON:-python3}" -m venv $environment
    $environment/bin/python -m pip install --quiet --disable-pip-version-check --editable "$sdk[test]"
    printf '%s\n' "$wanted" >$environment/made-of
fi

bin=$PWD/$environment/bin
# The tools keep what they remember beside the environment.
export PYTHONPYCACHEPREFIX="$PWD/$environment/pycache" RUFF_CACHE_DIR="$PWD/$environment/ruff" \
    MYPY_CACHE_DIR="$PWD/$environment/mypy"
cd $sdk
"$bin/ruff" format --check --quiet .
"$bin/ruff" check --quiet .
"$bin/mypy" --strict --no-error-summary
FINERACT_GATEWAY_PROGRAMS=$programs "$programs/private-postgres" run --no-fsync -- \
    "$bin/pytest" --quiet -o "cache_dir=${bin%/*}/pytest" "$@"
