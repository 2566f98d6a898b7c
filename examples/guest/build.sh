#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Makes the example guest: <out>/vmlinuz is Debian's cloud kernel, unpacked
# and not installed; <out>/initrd.img holds one static program, /init;
# <out>/initrd-agent.img holds a shell and Debian's qemu-guest-agent as well.
# Does nothing when all are up to date.
set -euo pipefail

cd "$(dirname "$0")/../.."
out=${1:-build/guest}
cache=${2:-.cache/guest}
sources=(examples/guest/{churned_pages,counter,disk,gap_meter,helpers,memory}.cpp
  examples/guest/{numbered_disk,ports,settings}.cpp)

say() { printf 'guest: %s\n' "$*"; }
die() {
  printf 'guest: %s\n' "$*" >&2
  exit 1
}

kernel_package() {
  apt-cache depends linux-image-cloud-amd64 2>/dev/null |
    awk '$1 == "Depends:" && $2 ~ /^linux-image-[0-9]/ { print $2; exit }'
}

# What the agent needs to run, from Debian's packages.
agent_packages=(qemu-guest-agent busybox-static libc6 libglib2.0-0 libnuma1
  libpcre2-8-0 libudev1 liburing2)
# For disks, for the agent and for a network.
modules=(virtio virtio_ring virtio_mmio virtio_blk virtio_console failover
  net_failover virtio_net)

# Unpacks a package into a folder; fetched once.
unpack() {
  local package=$1 into=$2 deb
  deb=$(find "$cache/" -name "${package}_*.deb" | sort -V | tail -n 1)
  if [[ -z $deb ]]; then
    (cd "$cache" && apt-get -o APT::Sandbox::User=root -qq download "$package")
    deb=$(find "$cache/" -name "${package}_*.deb" | sort -V | tail -n 1)
    [[ -n $deb ]] || die "the download of $package left no file in $cache"
  fi
  dpkg -x "$deb" "$into"
}

has_kernel() {
  local module
  [[ -s $out/vmlinuz ]] || return
  for module in "${modules[@]}"; do
    [[ -s $out/modules/$module.ko ]] || return
  done
}

make_kernel() {
  has_kernel && return
  local package deb unpacked module
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
  rm -rf "$out/modules"
  mkdir "$out/modules"
  for module in "${modules[@]}"; do
    find "$unpacked/lib/modules" -name "$module.ko" \
      -exec cp {} "$out/modules/" \;
  done
  mv "$unpacked"/boot/vmlinuz-* "$out/vmlinuz"
  rm -rf "$unpacked"
  basename "$deb" .deb >"$out/kernel.txt"
  say "kernel: $(<"$out/kernel.txt")"
}

is_new() {
  local file
  [[ -s $1 ]] || return 1
  for file in examples/guest/*; do
    [[ $file -nt $1 ]] && return 1
  done
  return 0
}

# Packs a folder. Sorted, without times and owners: the same content gives the
# same bytes.
pack() {
  local root=$1 image=$2
  find "$root" -exec touch -h -d @0 {} +
  (cd "$root" && find . | LC_ALL=C sort |
    cpio --create --format=newc --owner=0:0 --reproducible --quiet) |
    gzip -9n >"$image.part"
  mv "$image.part" "$image"
  rm -rf "$root"
}

make_initrd() {
  is_new "$out/initrd.img" && return
  local root
  root=$(mktemp -d "$out/root.XXXXXX")
  chmod 755 "$root"
  mkdir "$root"/{dev,proc,sys,modules}
  cp "$out"/modules/*.ko "$root/modules/"
  "${CXX:-g++}" -std=c++20 -static -Os -ffunction-sections -fdata-sections \
    -Wl,--gc-sections -s -pthread -I. "${sources[@]}" -o "$root/init"
  pack "$root" "$out/initrd.img"
  say "initrd: $(stat -c %s "$out/initrd.img") bytes"
}

# The kernel unpacks one archive after the other: the first is the initrd.
make_agent_initrd() {
  is_new "$out/initrd-agent.img" && return
  local root packages package library
  packages=$(mktemp -d "$out/packages.XXXXXX")
  for package in "${agent_packages[@]}"; do unpack "$package" "$packages"; done
  root=$(mktemp -d "$out/root.XXXXXX")
  chmod 755 "$root"
  mkdir -p "$root"/{bin,etc,lib/x86_64-linux-gnu,lib64,root,run,tmp}
  mkdir -p "$root"/usr/lib/forkfleet "$root"/var/run
  cp "$packages/bin/busybox" "$packages/usr/sbin/qemu-ga" "$root/bin/"
  ln -s busybox "$root/bin/sh"
  find "$packages" -type f -name 'ld-linux-x86-64.so.2' \
    -exec cp {} "$root/lib64/" \;
  for library in libc libm libglib-2.0 libgmodule-2.0 libnuma libudev \
    liburing libpcre2-8; do
    find "$packages" -name "$library.so.*" \
      -exec cp -a {} "$root/lib/x86_64-linux-gnu/" \;
  done
  cp examples/guest/services.sh "$root/etc/services.sh"
  "${CXX:-g++}" -std=c++20 -static -Os -ffunction-sections -fdata-sections \
    -Wl,--gc-sections -s -I. examples/guest/reseed.cpp \
    -o "$root/usr/lib/forkfleet/reseed"
  pack "$root" "$out/agent.part"
  cat "$out/initrd.img" "$out/agent.part" >"$out/initrd-agent.img.part"
  mv "$out/initrd-agent.img.part" "$out/initrd-agent.img"
  rm -rf "$packages" "$out/agent.part"
  say "initrd with an agent: $(stat -c %s "$out/initrd-agent.img") bytes"
}

mkdir -p "$out" "$cache"
make_kernel
make_initrd
make_agent_initrd
say "ready: $out/vmlinuz $out/initrd.img $out/initrd-agent.img"
