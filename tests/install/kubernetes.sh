#!/bin/sh
# Installs a Kubernetes API server, its controllers and etcd for the tests to start, and prints the folder of
# `kube-apiserver` and `kube-controller-manager`. Debian has etcd as a package, and Kubernetes 1.20.2 only as source,
# which is built here (some minutes, once).
# Does nothing where they are there already. Elsewhere than on Debian 12, set KEYTRAIL_TEST_KUBERNETES to a folder with
# both programs, and have `etcd` in the PATH.
set -eu
version=1.20.2
programs='kube-apiserver kube-controller-manager'
has_all() { for program in $programs; do [ -x "$1/$program" ] || return 1; done; }
if has_all "${KEYTRAIL_TEST_KUBERNETES:-}" && command -v etcd >/dev/null; then
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
if ! has_all "$tools"; then
    [ -r /etc/apt/sources.list.d/debian.sources ] || {
        echo 'no Debian 12: set KEYTRAIL_TEST_KUBERNETES to a folder with the programs of a control plane' >&2
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
    missing=
    for program in $programs; do [ -x "$tools/$program" ] || missing="$missing cmd/$program"; done
    GOPATH=$PWD/.go CGO_ENABLED=0 HOME=$work/home PATH=/usr/lib/go/bin:$PATH make WHAT="$missing" >&2
    for program in $programs; do [ -x "$tools/$program" ] || mv "_output/bin/$program" "$tools/"; done
    cd "$tools"
    chmod -R u+w "$work"
    rm -rf "$work"
fi
echo "$tools"
