#!/usr/bin/env bash
# Measures what each format costs for a large report: CPU seconds, peak memory (with the report itself), bytes.
#   usage: formats.sh [FINDINGS]     25,000 by default
# Fails when one takes more than 3 s or 300 MB.
set -euo pipefail
cd "$(dirname "$0")/../.."
findings=${1:-25000}
cargo build --quiet --release --locked -p keytrail-reporters --example render
render=${CARGO_TARGET_DIR:-target}/release/examples/render
failed=0
for format in $("$render"); do
    read -r seconds megabytes bytes < <("$render" "$format" "$findings")
    note=
    if awk "BEGIN { exit !($seconds > 3 || $megabytes > 300) }"; then
        note='  TOO MUCH'
        failed=1
    fi
    printf '%-16s cpu %6.2f s  peak %4d MB  %9d bytes%s\n' "$format" "$seconds" "$megabytes" "$bytes" "$note"
done
exit $failed
