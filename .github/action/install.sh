#!/usr/bin/env bash
# Installs a release of Keytrail for this runner, once its bytes are known to be those that were released.
#
# Inputs, all by environment: INPUT_VERSION (1.2.3, v1.2.3, latest; empty for the version of this action), REPOSITORY
# (owner/name), and of the runner RUNNER_OS, RUNNER_ARCH, RUNNER_TEMP, GITHUB_SERVER_URL, GITHUB_OUTPUT, GITHUB_PATH.
# KEYTRAIL_RELEASE_URL names a mirror: a folder, by https or file, that holds SHA256SUMS and the archives.
set -euo pipefail

fail() {
  echo "::error title=Keytrail::$1" >&2
  exit 2
}

target() {
  case "$RUNNER_OS-$RUNNER_ARCH" in
    Linux-X64) echo x86_64-unknown-linux-gnu ;;
    Linux-ARM64) echo aarch64-unknown-linux-gnu ;;
    macOS-X64) echo x86_64-apple-darwin ;;
    macOS-ARM64) echo aarch64-apple-darwin ;;
    *) fail "there is no release for $RUNNER_OS on $RUNNER_ARCH: run it on Linux or macOS" ;;
  esac
}

# The folder of the release that has this version.
release() {
  local pattern='^v?[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.]+)?$'
  if [ -n "${KEYTRAIL_RELEASE_URL:-}" ]; then
    echo "${KEYTRAIL_RELEASE_URL%/}"
  elif [ "$version" = latest ]; then
    echo "$GITHUB_SERVER_URL/$REPOSITORY/releases/latest/download"
  elif [[ $version =~ $pattern ]]; then
    echo "$GITHUB_SERVER_URL/$REPOSITORY/releases/download/v${version#v}"
  else
    fail "the version is no version: write 1.2.3, or latest"
  fi
}

# Nothing but https, redirects included; file is for mirrors.
download() {
  curl --fail --silent --show-error --location --proto '=https,file' --proto-redir '=https' \
    --connect-timeout 30 --max-time 600 --retry 3 --output "$2" "$1" || fail "cannot download $1"
}

sha256() {
  if command -v sha256sum >/dev/null; then sha256sum "$1"; else shasum -a 256 "$1"; fi | cut -d ' ' -f 1
}

# Who built it, and from what. Only the checksum speaks for it where there is no gh, or it knows of no attestations.
verify_provenance() {
  if [ "$GITHUB_SERVER_URL" != https://github.com ] || ! gh attestation verify --help >/dev/null 2>&1; then
    echo '::notice title=Keytrail::checked by SHA256SUMS alone: gh, which verifies the attestation, is not here'
    return
  fi
  gh attestation verify "$1" --repo "$REPOSITORY" \
    --signer-workflow "$REPOSITORY/.github/workflows/release.yml" ||
    fail "$(basename "$1") has no attestation by the release workflow of $REPOSITORY: it was not installed"
}

here=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
version=${INPUT_VERSION:-$("$here/.ci/version")}
target=$(target)
archive=keytrail-$target.tar.gz
url=$(release)
folder=$RUNNER_TEMP/keytrail/bin
work=$(mktemp -d "$RUNNER_TEMP/keytrail.XXXXXX")
trap 'rm -rf "$work"' EXIT

download "$url/SHA256SUMS" "$work/SHA256SUMS"
expected=$(awk -v name="$archive" 'NF == 2 && ($2 == name || $2 == "*" name) { print $1 }' "$work/SHA256SUMS")
[[ $expected =~ ^[0-9a-f]{64}$ ]] || fail "SHA256SUMS of the release does not have $archive once"
download "$url/$archive" "$work/$archive"
actual=$(sha256 "$work/$archive")
[ "$actual" = "$expected" ] || fail "$archive is not what was released: its SHA-256 is $actual, not $expected"
verify_provenance "$work/$archive"

tar -xzf "$work/$archive" -C "$work" "keytrail-$target/keytrail"
told=$("$work/keytrail-$target/keytrail" --version) || fail "$archive does not run on this runner"
[ "$version" = latest ] || [ "$told" = "keytrail ${version#v}" ] || fail "$archive holds $told, and not version ${version#v}"
mkdir -p "$folder"
mv -f "$work/keytrail-$target/keytrail" "$folder/keytrail"
echo "$told"
echo "program=$folder/keytrail" >>"$GITHUB_OUTPUT"
echo "$folder" >>"$GITHUB_PATH"
