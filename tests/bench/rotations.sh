#!/usr/bin/env bash
# Rotates generated values in a real OpenBao, several at once: tests/bench/rotations.sh [SECRETS] [AT_ONCE] [TIMES]
# Prints wall and CPU seconds and peak memory of `keytrail scan --fix --yes`, the median last. KEYTRAIL names the binary.
set -euo pipefail
cd "$(dirname "$0")/../.."
secrets=${1:-100} at_once=${2:-8} times=${3:-3}
keytrail=$(realpath "${KEYTRAIL:-target/release/keytrail}")
bao=$(tests/install/openbao.sh)
exec python3 tests/bench/rotations.py "$keytrail" "$bao" "$secrets" "$at_once" "$times"
