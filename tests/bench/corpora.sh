#!/usr/bin/env bash
# Builds histories to measure with: every commit is a published release of a package, so that texts change as real ones do.
#
#   tests/bench/corpora.sh FOLDER [PACKAGE…]
#
# Makes FOLDER/PACKAGE.git (bare, repacked), and FOLDER/all.git, which holds them all. Needs git, pip and unzip, the
# network and an hour; what is there is kept. VERSIONS (default 220) limits the releases of a package, WINDOW (default
# 50) is what git repacks with.
set -euo pipefail

folder=$(realpath -m "${1:?usage: $0 FOLDER [PACKAGE…]}")
shift
packages=("$@")
[ ${#packages[@]} -gt 0 ] || packages=(django botocore twilio faker ansible-core stripe sentry-sdk boto3)
versions=${VERSIONS:-220}
window=${WINDOW:-50}
mkdir -p "$folder"
export GIT_AUTHOR_NAME=Releases GIT_AUTHOR_EMAIL=releases@example.com
export GIT_COMMITTER_NAME=Releases GIT_COMMITTER_EMAIL=releases@example.com

# Commits one release, unpacked over the one before it.
commit() { # package version number
    local wheels="$work/wheels"
    rm -rf "$wheels"
    if ! pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: --python-version 3.12 \
        --dest "$wheels" "$1==$2" 2>"$work/log"; then
        echo "$1 $2 is no wheel: skipped" >&2
        return
    fi
    find "$work/tree" -mindepth 1 -maxdepth 1 ! -name .git -exec rm -rf {} +
    unzip -q "$wheels"/*.whl -d "$work/tree"
    # The name of this folder holds the version: every release would be a rename of all.
    find "$work/tree" -maxdepth 1 -name '*.dist-info' -exec rm -rf {} +
    local date=$((1500000000 + 86400 * $3))
    git -C "$work/tree" add --all --force
    GIT_AUTHOR_DATE="$date +0000" GIT_COMMITTER_DATE="$date +0000" \
        git -C "$work/tree" commit --quiet --allow-empty --message "$1 $2"
    git -C "$work/tree" tag "v$2"
}

for package in "${packages[@]}"; do
    target="$folder/$package.git"
    [ -d "$target" ] && continue
    work=$(mktemp -d "$folder/building.XXXXXX")
    git init --quiet --initial-branch main "$work/tree"
    number=0
    for version in $(pip index versions --disable-pip-version-check "$package" 2>/dev/null |
        sed -n 's/^Available versions: //p' | tr -d ',' | tr ' ' '\n' | head -n "$versions" | tac); do
        commit "$package" "$version" $number
        number=$((number + 1))
    done
    git -C "$work/tree" -c pack.threads=1 repack -adfq --depth=50 --window="$window"
    git clone --quiet --bare "$work/tree" "$target"
    rm -rf "$work"
    echo "$package: $(git -C "$target" rev-list --count --all) commits, $(du -sh "$target" | cut -f1)"
done

if [ ! -d "$folder/all.git" ]; then
    git init --quiet --bare "$folder/all.git"
    for package in "${packages[@]}"; do
        git -C "$folder/all.git" fetch --quiet "$folder/$package.git" "refs/heads/main:refs/heads/$package" "refs/tags/*:refs/tags/$package/*"
    done
    git -C "$folder/all.git" repack -adq
fi
