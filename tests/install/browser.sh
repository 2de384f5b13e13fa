#!/bin/sh
# Installs what drives a browser and what judges how accessible a page is, pinned by digest, into
# target/test-tools/browser and prints the path of that folder. Does nothing where it is there already.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
tools=${CARGO_TARGET_DIR:-$here/../../target}/test-tools/browser
mkdir -p "$tools"
tools=$(CDPATH='' cd -- "$tools" && pwd)
if [ ! -d "$tools/node_modules/playwright-core" ] || ! cmp -s "$here/browser/package-lock.json" "$tools/package-lock.json"; then
    cp "$here/browser/package.json" "$here/browser/package-lock.json" "$tools/"
    (cd "$tools" && npm ci --ignore-scripts --no-audit --no-fund) >&2
fi
echo "$tools"
