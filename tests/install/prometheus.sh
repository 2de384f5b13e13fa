#!/bin/sh
# Installs Prometheus for the tests to start, if it is not there, and prints its path.
set -eu
if [ "$(id -u)" = 0 ]; then as_root=; else as_root=sudo; fi
if ! command -v prometheus >/dev/null; then
    $as_root apt-get update -q >&2
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends prometheus >&2
fi
command -v prometheus
