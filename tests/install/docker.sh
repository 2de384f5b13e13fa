#!/bin/sh
# Installs the Docker engine and version 2 of its compose plugin for the tests, if they are not there, and prints the
# folder that `docker --config` takes: the plugin is in its `cli-plugins`. Debian 12 has no such plugin: it is unpacked
# from the package of Debian 13 without being installed.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
tools=${CARGO_TARGET_DIR:-$here/../../target}/test-tools/docker
mkdir -p "$tools/cli-plugins"
tools=$(CDPATH='' cd -- "$tools" && pwd -P)
if [ "$(id -u)" = 0 ]; then as_root=; else as_root=sudo; fi
if ! command -v dockerd >/dev/null; then
    $as_root apt-get update -q >&2
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends docker.io >&2
fi
plugin=$tools/cli-plugins/docker-compose
if [ ! -x "$plugin" ]; then
    for folder in /usr/local/lib /usr/local/libexec /usr/lib /usr/libexec; do
        [ -x "$folder/docker/cli-plugins/docker-compose" ] || continue
        ln -sf "$folder/docker/cli-plugins/docker-compose" "$plugin"
    done
fi
if [ ! -x "$plugin" ]; then
    [ -r /etc/apt/sources.list.d/debian.sources ] || {
        echo 'no Debian 12: install the compose plugin of Docker' >&2
        exit 1
    }
    work=$tools/unpacked
    rm -rf "$work"
    mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$work/sources"
    sed '/^$/,$d; s/^Suites:.*/Suites: trixie/' /etc/apt/sources.list.d/debian.sources >"$work/sources/trixie.sources"
    apt="-oDir::State::Lists=$work/lists -oDir::Etc::sourcelist=/dev/null -oDir::Etc::sourceparts=$work/sources
        -oDir::Cache=$work/cache -oAPT::Sandbox::User=root"
    cd "$work"
    # shellcheck disable=SC2086 # the options are many words
    apt-get $apt update -q >&2
    # shellcheck disable=SC2086
    apt-get $apt download -q docker-compose >&2
    dpkg -x docker-compose_*.deb files
    mv files/usr/libexec/docker/cli-plugins/docker-compose "$plugin"
    cd "$tools"
    rm -rf "$work"
fi
command -v gcc >/dev/null || {
    echo 'no C compiler for the program of the image: install gcc' >&2
    exit 1
}
echo "$tools"
