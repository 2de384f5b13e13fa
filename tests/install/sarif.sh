#!/bin/sh
# Installs the SARIF Multitool, pinned by digest, into target/test-tools/sarif and prints the path of its program.
# Does nothing where it is there already.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
tools=${CARGO_TARGET_DIR:-$here/../../target}/test-tools/sarif
mkdir -p "$tools"
tools=$(CDPATH='' cd -- "$tools" && pwd)
program=$tools/node_modules/@microsoft/sarif-multitool-linux/Sarif.Multitool
if [ ! -x "$program" ] || ! cmp -s "$here/sarif/package-lock.json" "$tools/package-lock.json"; then
    cp "$here/sarif/package.json" "$here/sarif/package-lock.json" "$tools/"
    # Its only install script sets this mode.
    npm ci --prefix "$tools" --ignore-scripts --no-audit --no-fund >&2
    chmod u+x "$program"
fi
echo "$program"
