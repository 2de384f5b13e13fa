#!/usr/bin/env bash
# What reading CloudTrail costs: CPU seconds, wall seconds and peak memory (medians of RUNS), and their ratio to the first line.
#   usage: trails.sh [MEGABYTES] [RUNS]     megabytes of JSON that are made, before compression
# The first line is the floor: the gzip files, inflated by libdeflate on one thread and thrown away. Keytrail's reader is its whole kind of trail
# on one thread: it finds every record, gives the events of all credentials with the SHA-256 of their records, and counts them by credential; it is
# to stay below twice the floor. `gzip -dc` is the floor of shell pipelines. jq and DuckDB (one thread) count the records of Secrets Manager by ARN in
# the same files, and prove nothing of what they read. DuckDB is installed from PyPI into target/bench; jq is the system's.
set -euo pipefail
megabytes=${1:-300}
runs=${2:-3}
cd "$(dirname "$0")/../.."
target=${CARGO_TARGET_DIR:-target}

cargo build --quiet --release --locked -p keytrail --no-default-features --example cloudtrail_speed
speed=$(realpath "$target/release/examples/cloudtrail_speed")
peer=$target/bench/duckdb
[ -x "$peer/bin/python" ] || { python3 -m venv "$peer" && "$peer/bin/pip" -q install duckdb; }
logs=$target/bench/cloudtrail-$megabytes
[ -d "$logs" ] || python3 tests/bench/trails.py "$logs" "$megabytes"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/jq.sh" <<'JQ'
find "$1" -name '*.json.gz' -print0 | xargs -0 gzip -dc | jq -r '.Records[] | select(.eventSource == "secretsmanager.amazonaws.com")
    | (.responseElements.arn? // .responseElements.aRN? // .requestParameters.secretId? // empty)' | sort | uniq -c
JQ
cat >"$work/duck.py" <<'PYTHON'
import sys
import duckdb
duckdb.sql("SET threads = 1")
print(len(duckdb.sql(f"""
    SELECT coalesce(r->'responseElements'->>'arn', r->'responseElements'->>'aRN', r->'requestParameters'->>'secretId') AS arn, count(*)
    FROM (SELECT unnest(Records) AS r FROM read_json('{sys.argv[1]}/**/*.json.gz', columns = {{Records: 'JSON[]'}},
                                                     maximum_object_size = 33554432))
    WHERE r->>'eventSource' = 'secretsmanager.amazonaws.com' GROUP BY ALL""").fetchall()))
PYTHON
python3 tests/bench/measure.py "$runs" \
    'inflate (libdeflate)' "$speed inflate $logs" \
    keytrail "$speed read $logs" \
    'gzip -dc' "bash -c 'find $logs -name *.json.gz -print0 | xargs -0 gzip -dc'" \
    jq "bash $work/jq.sh $logs" \
    duckdb "$peer/bin/python $work/duck.py $logs"
