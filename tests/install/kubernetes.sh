#!/bin/sh
# Installs a Kubernetes API server and etcd for the tests to start, and prints the folder of `kube-apiserver`. Debian has
# etcd as a package, and Kubernetes 1.20.2 only as source, which is built here (some minutes, once).
# Does nothing where they are there already. Elsewhere than on Debian 12, set KEYTRAIL_TEST_KUBERNETES to a folder with a
# `kube-apiserver`, and have `etcd` in the PATH.
set -eu
version=1.20.2
if [ -x "${KEYTRAIL_TEST_KUBERNETES:-}/kube-apiserver" ] && command -v etcd >/dev/null; then
    echo "$KEYTRAIL_TEST_KUBERNETES"
    exit 0
fi
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
tools=${CARGO_TARGET_DIR:-$here/../../target}/test-tools/kubernetes
mkdir -p "$tools"
tools=$(CDPATH='' cd -- "$tools" && pwd)
if [ "$(id -u)" = 0 ]; then as_root=; else as_root=sudo; fi
if ! command -v etcd >/dev/null; then
    $as_root apt-get update -q >&2
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends etcd-server >&2
fi
if [ ! -x "$tools/kube-apiserver" ]; then
    [ -r /etc/apt/sources.list.d/debian.sources ] || {
        echo 'no Debian 12: set KEYTRAIL_TEST_KUBERNETES to a folder with a kube-apiserver' >&2
        exit 1
    }
    $as_root apt-get update -q >&2
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends \
        golang-go rsync make dpkg-dev >&2
    work=$tools/build
    rm -rf "$work"
    mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$work/sources" "$work/home"
    # The machine's own sources, as source packages.
    sed -n 's/^Types:.*/Types: deb-src/p; /^Types:/!p' /etc/apt/sources.list.d/debian.sources >"$work/sources/src.sources"
    apt="-oDir::State::Lists=$work/lists -oDir::Etc::sourcelist=/dev/null -oDir::Etc::sourceparts=$work/sources
        -oDir::Cache=$work/cache -oAPT::Sandbox::User=root"
    cd "$work"
    # shellcheck disable=SC2086 # the options are many words
    apt-get $apt update -q >&2
    # shellcheck disable=SC2086
    apt-get $apt source -q --download-only kubernetes >&2
    tar xzf kubernetes_*.orig.tar.gz
    cd "kubernetes-$version"
    mkdir -p .go/src/k8s.io
    ln -sfn ../../.. .go/src/k8s.io/kubernetes
    GOPATH=$PWD/.go CGO_ENABLED=0 HOME=$work/home PATH=/usr/lib/go/bin:$PATH make WHAT=cmd/kube-apiserver >&2
    mv _output/bin/kube-apiserver "$tools/"
    cd "$tools"
    chmod -R u+w "$work"
    rm -rf "$work"
fi
echo "$tools"
