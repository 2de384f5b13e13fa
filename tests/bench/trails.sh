#!/usr/bin/env bash
# Counts the events of secrets by ARN in CloudTrail files: Keytrail's reader, jq and DuckDB on the same files, and what inflating them alone costs.
#   usage: trails.sh [MEGABYTES] [RUNS]     megabytes of JSON that are made, before compression
# DuckDB is installed from PyPI into target/bench; jq is the system's.
set -euo pipefail
megabytes=${1:-300}
runs=${2:-3}
cd "$(dirname "$0")/../.."
target=${CARGO_TARGET_DIR:-target}

cargo build --quiet --release --locked -p keytrail --example cloudtrail_speed
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
    duckdb "$(realpath "$peer/bin/python") $work/duck.py $logs"
