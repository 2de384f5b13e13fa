#!/bin/sh
# Installs the validators of OSCAL, OCSF and ASFF, pinned, into target/test-tools/validators and prints the path of its
# Python. Does nothing where they are there already. oscal-validate needs CPython 3.12.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
tools=${CARGO_TARGET_DIR:-$here/../../target}/test-tools/validators
mkdir -p "$tools"
tools=$(CDPATH='' cd -- "$tools" && pwd -P)
find_python() {
    for python in "${KEYTRAIL_TEST_PYTHON:-}" python3.13 "$HOME"/.pyenv/versions/3.13.*/bin/python3.13; do
        # A pyenv shim is there even where no version is chosen.
        if [ -n "$python" ] && "$python" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 13))' 2>/dev/null; then
            echo "$python"
            return 0
        fi
    done
    echo 'no Python 3.13: install it, or set KEYTRAIL_TEST_PYTHON to one' >&2
    return 1
}
if ! cmp -s "$here/validators/requirements.txt" "$tools/requirements.txt"; then
    "$(find_python)" -m venv --clear "$tools"
    "$tools/bin/pip" install --quiet --disable-pip-version-check -r "$here/validators/requirements.txt" >&2
    cp "$here/validators/requirements.txt" "$tools/"
fi
[ -x "$tools/bin/oscal-validate" ] || { echo "oscal-validate is not in $tools" >&2; exit 1; }
echo "$tools/bin/python"
