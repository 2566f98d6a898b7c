#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Makes the example guest: <out>/vmlinuz is Debian's cloud kernel, unpacked
# and not installed; <out>/initrd.img holds one static program, /init.
# Does nothing when both are up to date.
set -euo pipefail

cd "$(dirname "$0")/../.."
out=${1:-build/guest}
cache=${2:-.cache/guest}
sources=(examples/guest/{counter,gap_meter,memory,ports,settings}.cpp)
sources+=(examples/guest/disk.cpp)

say() { printf 'guest: %s\n' "$*"; }
die() {
  printf 'guest: %s\n' "$*" >&2
  exit 1
}

kernel_package() {
  apt-cache depends linux-image-cloud-amd64 2>/dev/null |
    awk '$1 == "Depends:" && $2 ~ /^linux-image-[0-9]/ { print $2; exit }'
}

make_kernel() {
  [[ -s $out/vmlinuz && -d $out/modules ]] && return
  local package deb unpacked
  deb=$(find "$cache/" -name 'linux-image-*.deb' | sort -V | tail -n 1)
  if [[ -z $deb ]]; then
    package=$(kernel_package)
    [[ -n $package ]] ||
      die "apt knows no linux-image-cloud-amd64: run 'apt-get update' first"
    say "downloading $package"
    (cd "$cache" && apt-get -o APT::Sandbox::User=root -qq download "$package")
    deb=$(find "$cache/" -name 'linux-image-*.deb' | sort -V | tail -n 1)
    [[ -n $deb ]] || die "the download of $package left no file in $cache"
  fi
  unpacked=$(mktemp -d "$out/kernel.XXXXXX")
  dpkg -x "$deb" "$unpacked"
  mv "$unpacked"/boot/vmlinuz-* "$out/vmlinuz"
  # What a disk needs, besides.
  rm -rf "$out/modules"
  mkdir "$out/modules"
  find "$unpacked/lib/modules" \( -name virtio.ko -o -name virtio_ring.ko \
    -o -name virtio_mmio.ko -o -name virtio_blk.ko \) \
    -exec cp {} "$out/modules/" \;
  rm -rf "$unpacked"
  basename "$deb" .deb >"$out/kernel.txt"
  say "kernel: $(<"$out/kernel.txt")"
}

initrd_is_new() {
  local file
  [[ -s $out/initrd.img ]] || return 1
  for file in examples/guest/*; do
    [[ $file -nt $out/initrd.img ]] && return 1
  done
  return 0
}

make_initrd() {
  initrd_is_new && return
  local root
  root=$(mktemp -d "$out/root.XXXXXX")
  chmod 755 "$root"
  mkdir "$root"/{dev,proc,sys,modules}
  cp "$out"/modules/*.ko "$root/modules/"
  "${CXX:-g++}" -std=c++20 -static -Os -ffunction-sections -fdata-sections \
    -Wl,--gc-sections -s -I. "${sources[@]}" -o "$root/init"
  # Sorted, without times and owners: the same sources give the same bytes.
  find "$root" -exec touch -h -d @0 {} +
  (cd "$root" && find . | LC_ALL=C sort |
    cpio --create --format=newc --owner=0:0 --reproducible --quiet) |
    gzip -9n >"$out/initrd.img.part"
  mv "$out/initrd.img.part" "$out/initrd.img"
  rm -rf "$root"
  say "initrd: $(stat -c %s "$out/initrd.img") bytes"
}

mkdir -p "$out" "$cache"
make_kernel
make_initrd
say "ready: $out/vmlinuz $out/initrd.img"
