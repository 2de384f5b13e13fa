#!/usr/bin/env bash
# Fills a local OpenBao with 10,000 secrets over 2,000 paths, each with two versions, scans it, and says what the scan
# cost: time, processor (of Keytrail and of the server) and memory. Fails where it takes 30 s or 200 MB, or loses a
# secret.
#   KEYTRAIL=path of a built binary; by default it is built here
set -euo pipefail
cd "$(dirname "$0")/../.."
readonly PATHS=2000 KEYS=5 VERSIONS=2

bao=$(tests/install/openbao.sh)
keytrail=${KEYTRAIL:-}
if [ -z "$keytrail" ]; then
    cargo build --quiet --release --locked -p keytrail
    keytrail=${CARGO_TARGET_DIR:-target}/release/keytrail
fi
keytrail=$(realpath "$keytrail")
dir=$(mktemp -d)
server=
cleanup() {
    if [ -n "$server" ]; then
        kill "$server"
        wait "$server" || true
    fi
    rm -rf "$dir"
}
trap cleanup EXIT

port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
export VAULT_ADDR=http://127.0.0.1:$port
mkdir "$dir/data" "$dir/tree"
cat >"$dir/config.hcl" <<END
storage "raft" { path = "$dir/data" node_id = "n1" }
listener "tcp" { address = "127.0.0.1:$port" tls_disable = true }
api_addr = "$VAULT_ADDR"
cluster_addr = "https://127.0.0.1:0"
END
"$bao" server -config="$dir/config.hcl" >"$dir/log" 2>&1 &
server=$!
ask() { # METHOD PATH [BODY]
    curl --silent --show-error --fail -X "$1" -H "X-Vault-Token: ${VAULT_TOKEN:-}" "$VAULT_ADDR/v1/$2" ${3:+-d "$3"}
}
until curl --silent "$VAULT_ADDR/v1/sys/seal-status" >/dev/null; do kill -0 "$server"; sleep 0.1; done
init=$(ask PUT sys/init '{"secret_shares": 1, "secret_threshold": 1}')
VAULT_TOKEN=$(jq -r .root_token <<<"$init")
export VAULT_TOKEN
ask PUT sys/unseal "{\"key\": $(jq .keys[0] <<<"$init")}" >/dev/null
until ask GET sys/health >/dev/null 2>&1; do kill -0 "$server"; sleep 0.1; done
ask POST sys/mounts/secret '{"type": "kv", "options": {"version": "2"}}'
# A new KV v2 mount is upgraded in the background.
until ask PUT secret/data/probe '{"data": {}}' >/dev/null 2>&1; do sleep 0.1; done
ask DELETE secret/metadata/probe

awk -v paths=$PATHS -v keys=$KEYS -v versions=$VERSIONS -v url="$VAULT_ADDR/v1/secret/data" -v token="$VAULT_TOKEN" '
BEGIN {
    for (v = 1; v <= versions; v++) for (p = 0; p < paths; p++) {
        data = ""
        for (k = 0; k < keys; k++) data = data sprintf("%s\\\"key_%d\\\": \\\"value-%d-%d-%d\\\"", k ? ", " : "", k, p, k, v)
        printf "%surl = \"%s/team-%02d/service-%04d\"\nheader = \"X-Vault-Token: %s\"\n", (p + v > 1 ? "next\n" : ""), url, p % 40, p, token
        printf "request = PUT\ndata = \"{\\\"data\\\": {%s}}\"\noutput = /dev/null\nfail\nsilent\n", data
    }
}' >"$dir/fill"
curl --config "$dir/fill"

# Seconds of processor that the server has used.
server_seconds() { awk -v hz="$(getconf CLK_TCK)" '{ printf "%.1f", ($14 + $15) / hz }' "/proc/$server/stat"; }

printf '%-20s %8s %12s %12s %10s %8s\n' read_values wall 'cpu keytrail' 'cpu server' 'peak MB' secrets
for read_values in false true; do
    cat >"$dir/keytrail.toml" <<END
[[store]]
name = "vault"
kind = "vault"
read_values = $read_values
END
    before=$(server_seconds)
    status=0
    (cd "$dir/tree" && /usr/bin/time -o "$dir/cost" -f '%e %U %S %M' \
        "$keytrail" scan . --config "$dir/keytrail.toml" --format json --output "$dir/report.json") || status=$?
    [ "$status" -le 1 ] || { echo "keytrail ended with $status" >&2; exit 1; }
    after=$(server_seconds)
    held=$(jq '[.items[].copies[]] | length' "$dir/report.json")
    # GNU time says first that the command ended with 1.
    read -r wall user system kilobytes < <(tail -n 1 "$dir/cost")
    awk -v read_values=$read_values -v wall="$wall" -v cpu="$user $system" -v before="$before" -v after="$after" \
        -v memory="$kilobytes" -v held="$held" -v wanted=$((PATHS * KEYS)) 'BEGIN {
        split(cpu, own, " ")
        printf "%-20s %6.1f s %10.1f s %10.1f s %10.0f %8d\n", read_values, wall, own[1] + own[2], after - before, memory / 1024, held
        exit !(wall < 30 && memory < 200 * 1024 && held == wanted)
    }'
done
