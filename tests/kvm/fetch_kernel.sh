#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# usage: fetch_kernel.sh VERSION CACHE
# Unpacks Debian's cloud kernel of a VERSION, 6.1 or 6.12, into
# CACHE/VERSION, and prints nothing when it is there already. The package
# comes from the mirror that this machine's apt uses, by an apt configuration
# of its own: nothing of the machine's is changed.
set -euo pipefail

version=$1
cache=$2
keys=/usr/share/keyrings/debian-archive-keyring.gpg

say() { printf 'kvm: %s\n' "$*"; }
die() {
  printf 'kvm: %s\n' "$*" >&2
  exit 1
}

# The suite in which a kernel is the newest.
suite_of() {
  case $1 in
    6.1) printf bookworm ;;
    6.12) printf bookworm-backports ;;
    *) die "kernel $1: it is 6.1 or 6.12" ;;
  esac
}

# The address of the main archive, not that of security updates.
mirror() {
  local address
  address=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null |
    grep -oE 'https?://[^ ]+/debian/?( |$)' | head -n 1 | tr -d ' ') || true
  [[ -n $address ]] ||
    die "no Debian mirror in /etc/apt: add one, or put a kernel package" \
      "linux-image-$version.*_amd64.deb into $cache"
  printf '%s' "$address"
}

own_apt() {
  local place=$cache/apt
  "$@" -o "Dir::Etc::sourcelist=$place/sources.list" \
    -o Dir::Etc::sourceparts=- -o "Dir::State::lists=$place/lists" \
    -o "Dir::Cache=$place/cache" -o APT::Sandbox::User=root -qq
}

download() {
  local suite package
  suite=$(suite_of "$version")
  mkdir -p "$cache"/apt/{lists,cache}/partial "$cache/apt/cache/archives/partial"
  printf 'deb [signed-by=%s] %s %s main\n' "$keys" "$(mirror)" "$suite" \
    >"$cache/apt/sources.list"
  own_apt apt-get update
  package=$(own_apt apt-cache depends linux-image-cloud-amd64 |
    awk '$1 == "Depends:" && $2 ~ /^linux-image-[0-9]/ { print $2; exit }')
  [[ $package == linux-image-"$version".* ]] ||
    die "$suite has no kernel $version but '$package'"
  say "downloading $package"
  (cd "$cache" && own_apt apt-get download "$package")
}

package_of() {
  find "$cache" -maxdepth 1 -name "linux-image-$version.*_amd64.deb" |
    sort -V | tail -n 1
}

mkdir -p "$cache"
cache=$(cd "$cache" && pwd -P)
[[ -e $cache/$version/done ]] && exit 0
[[ -n $(package_of) ]] || download
rm -rf "${cache:?}/$version"
mkdir "$cache/$version"
dpkg -x "$(package_of)" "$cache/$version"
# Debian 13 keeps modules under /usr.
if [[ -d $cache/$version/usr/lib/modules ]]; then
  mkdir -p "$cache/$version/lib"
  mv "$cache/$version/usr/lib/modules" "$cache/$version/lib/modules"
fi
/sbin/depmod -b "$cache/$version" "$(ls "$cache/$version/lib/modules")"
touch "$cache/$version/done"
