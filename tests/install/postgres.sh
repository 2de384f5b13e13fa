#!/bin/sh
# Installs a PostgreSQL server with pgAudit for the tests to start, if none is there, and prints the folder of its
# programs.
set -eu
if [ "$(id -u)" = 0 ]; then as_root=; else as_root=sudo; fi
install() {
    $as_root apt-get update -q >&2
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$@" >&2
}
find_server() {
    # shellcheck disable=SC2012 # sorted by version
    for bin in "${KEYTRAIL_TEST_PG_BIN:-}" $(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -Vr); do
        if [ -x "$bin/postgres" ] && [ -x "$bin/initdb" ]; then
            echo "$bin"
            return 0
        fi
    done
    return 1
}
if ! find_server >/dev/null; then
    # Debian makes and starts a cluster on installation unless it is told not to.
    $as_root mkdir -p /etc/postgresql-common/createcluster.d
    echo 'create_main_cluster = false' |
        $as_root tee /etc/postgresql-common/createcluster.d/keytrail-tests.conf >/dev/null
    install postgresql
fi
bin=$(find_server) || { echo 'no PostgreSQL server came with the package' >&2; exit 1; }
libraries=$("$bin/pg_config" --pkglibdir 2>/dev/null || echo "${bin%/bin}/lib")
if [ ! -e "$libraries/pgaudit.so" ]; then
    version=$("$bin/postgres" --version | sed 's/[^0-9]*\([0-9]*\).*/\1/')
    install "postgresql-$version-pgaudit"
fi
echo "$bin"
