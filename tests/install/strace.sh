#!/bin/sh
# Installs strace, if it is not there: the tests kill a writer with it at each of its system calls.
set -eu
if ! command -v strace >/dev/null; then
    if [ "$(id -u)" = 0 ]; then as_root=; else as_root=sudo; fi
    $as_root apt-get update -q >&2
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends strace >&2
fi
