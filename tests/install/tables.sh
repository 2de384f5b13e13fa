#!/bin/sh
# Installs independent readers of workbooks, CSV and JUnit XML, pinned, and the JUnit schema of Jenkins, into
# target/test-tools/tables and prints that folder. Does nothing where they are there already.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
tools=${CARGO_TARGET_DIR:-$here/../../target}/test-tools/tables
mkdir -p "$tools"
tools=$(CDPATH='' cd -- "$tools" && pwd -P)
if ! cmp -s "$here/tables/requirements.txt" "$tools/requirements.txt" || ! cmp -s "$here/tables/schema.txt" "$tools/schema.txt"; then
    python3 -m venv --clear "$tools"
    "$tools/bin/pip" install --quiet --disable-pip-version-check -r "$here/tables/requirements.txt" >&2
    "$tools/bin/pip" download --quiet --disable-pip-version-check --no-deps --no-binary=:all: --require-hashes \
        --dest "$tools/source" -r "$here/tables/schema.txt" >&2
    tar -xzf "$tools"/source/pytest-*.tar.gz -C "$tools" --strip-components=3 --wildcards '*/junit-10.xsd'
    rm -rf "$tools/source"
    cp "$here/tables/requirements.txt" "$here/tables/schema.txt" "$tools/"
fi
[ -f "$tools/junit-10.xsd" ] || { echo "the schema is not in $tools" >&2; exit 1; }
echo "$tools"
