#!/bin/sh
# Installs PgBouncer for the tests to start, if it is not there, and prints its program.
set -eu
if [ "$(id -u)" = 0 ]; then as_root=; else as_root=sudo; fi
find_program() {
    for program in "${KEYTRAIL_TEST_PGBOUNCER:-}" "$(command -v pgbouncer || true)" /usr/sbin/pgbouncer; do
        if [ -n "$program" ] && [ -x "$program" ]; then
            echo "$program"
            return 0
        fi
    done
    return 1
}
if ! find_program >/dev/null; then
    # Debian starts a service on installation unless it is told not to.
    policy=/usr/sbin/policy-rc.d
    ours=
    if [ ! -e "$policy" ]; then
        ours=yes
        printf '#!/bin/sh\nexit 101\n' | $as_root tee "$policy" >/dev/null
        $as_root chmod 755 "$policy"
    fi
    $as_root apt-get update -q >&2
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends pgbouncer >&2
    if [ -n "$ours" ]; then $as_root rm -f "$policy"; fi
fi
find_program || { echo 'no pgbouncer came with the package' >&2; exit 1; }
