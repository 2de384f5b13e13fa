#!/bin/sh
# Installs cargo-deny, pinned, into target/test-tools/cargo-deny and prints the path of its program.
# Does nothing where it is there already.
set -eu
version=0.20.2
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
tools=${CARGO_TARGET_DIR:-$here/../../target}/test-tools/cargo-deny
program=$tools/bin/cargo-deny
if ! "$program" --version 2>/dev/null | grep -qF " $version"; then
    # Unoptimised: it runs once, and is built in a quarter of the time.
    cargo install --quiet --locked --debug --root "$tools" --version "$version" cargo-deny >&2
fi
echo "$program"
