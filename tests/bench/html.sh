#!/usr/bin/env bash
# Measures the page of a report on 10,000 secrets: its size, how long it takes to write, and how long Chromium takes until
# it can be used. Ends with 1 where one of the bars is not met: 5 MB, and 2 s.
#   usage: html.sh [SECRETS]
set -euo pipefail
cd "$(dirname "$0")/../.."
secrets=${1:-10000}
target=${CARGO_TARGET_DIR:-target}
KEYTRAIL_TEST_CHROMIUM=$(tests/install/chromium.sh)
KEYTRAIL_TEST_BROWSER=$(tests/install/browser.sh)
export KEYTRAIL_TEST_CHROMIUM KEYTRAIL_TEST_BROWSER

cargo build --quiet --release --locked -p keytrail-reporters --example page
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
page=$work/page.html
python3 tests/bench/measure.py 5 "writing $secrets secrets" "$target/release/examples/page html $secrets"
"$target/release/examples/page" html "$secrets" >"$page"
bytes=$(wc -c <"$page")
times=$(node tests/html/large.mjs "$page")
echo "$secrets secrets: $bytes bytes; $times"
ready=$(sed 's/.*painted \([0-9]*\) ms.*/\1/' <<<"$times")
[ "$bytes" -le 5000000 ] && [ "$ready" -le 2000 ]
