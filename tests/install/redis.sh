#!/bin/sh
# Installs a Redis server for the tests to start, if none is there, and prints the folder of its programs.
set -eu
if [ "$(id -u)" = 0 ]; then as_root=; else as_root=sudo; fi
find_server() {
    server=$(PATH="${KEYTRAIL_TEST_REDIS:-}:$PATH" command -v redis-server) || return 1
    bin=$(dirname "$server")
    [ -x "$bin/redis-cli" ] && [ -x "$bin/redis-benchmark" ] && echo "$bin"
}
if ! find_server >/dev/null; then
    $as_root apt-get update -q >&2
    # Debian starts the service on installation unless a policy says that it may not.
    policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' | $as_root tee "$policy" >/dev/null
        $as_root chmod 755 "$policy"
        trap '$as_root rm -f "$policy"' EXIT
    fi
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=120 install -q -y --no-install-recommends redis-server redis-tools >&2
fi
find_server || { echo 'no Redis server came with the package' >&2; exit 1; }
