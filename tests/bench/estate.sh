#!/usr/bin/env bash
# Scans the bundled estate several times and says what the median scan cost. Fails at 0.3 s.
#   KEYTRAIL=path of a built binary; by default it is built here
set -euo pipefail
cd "$(dirname "$0")/../.."
readonly RUNS=21

keytrail=${KEYTRAIL:-}
if [ -z "$keytrail" ]; then
    cargo build --quiet --release --locked -p keytrail
    keytrail=${CARGO_TARGET_DIR:-target}/release/keytrail
fi
costs=$(mktemp)
trap 'rm -f "$costs"' EXIT
for _ in $(seq "$RUNS"); do
    # GNU time says first that the command ended with 1: there are findings.
    /usr/bin/time -a -o "$costs" -f 'cost %e %U %S %M' "$keytrail" scan fixtures/estate --as-of 2026-11-01 --output /dev/null || [ $? -eq 1 ]
done
median() { awk -v column="$1" '$1 == "cost" { print $column }' "$costs" | sort -n | sed -n "$(((RUNS + 1) / 2))p"; }
printf 'median of %d: wall %s s, cpu %s s user and %s s system, peak %s KB\n' "$RUNS" "$(median 2)" "$(median 3)" "$(median 4)" "$(median 5)"
awk -v wall="$(median 2)" 'BEGIN { exit !(wall < 0.3) }'
