#!/bin/sh
# Installs Chromium, and the programs that read what it prints, if they are not there. Prints its path.
set -eu
if [ "$(id -u)" = 0 ]; then as_root=; else as_root=sudo; fi
if ! command -v chromium >/dev/null || ! command -v pdftotext >/dev/null; then
    $as_root apt-get update -q >&2
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends chromium poppler-utils >&2
fi
command -v chromium
