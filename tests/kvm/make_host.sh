#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# usage: make_host.sh KERNEL_DIR PROGRAMS GUEST OUT
# Packs the emulated host: one initramfs OUT with busybox, the kernel's KVM
# and network modules, QEMU, our PROGRAMS with all libraries that they load,
# the example GUEST and the cases. It is not compressed: the host is emulated,
# and copies faster than it unpacks.
set -euo pipefail

kernel=$(cd "$1" && pwd)
programs=$(cd "$2" && pwd)
guest=$(cd "$3" && pwd)
out=$4
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
version=$(ls "$kernel/lib/modules")
root=$(mktemp -d "$out.XXXXXX")
chmod 755 "$root"
trap 'rm -rf "$root"' EXIT

die() {
  printf 'kvm: %s\n' "$*" >&2
  exit 1
}

ours=(forkfleet forkfleet-coordinator forkfleet-node forkfleet-keeper
  forkfleet-fsck forkfleet-doctor libforkfleet-preload.so)
tools=(/usr/bin/qemu-system-x86_64 /usr/bin/qemu-img /usr/bin/jq
  /usr/bin/setpriv /sbin/mkfs.ext4)
first_modules=(kvm-amd tun veth loop overlay)
# Loaded after the case that runs without them.
net_modules=(nf_tables nft_ct nft_nat nft_masq nft_chain_nat
  nft_reject_inet)

with_libraries() {
  local file library
  for file; do
    ldd "$file" 2>/dev/null | awk '/=> \//{print $3} /^\t\//{print $1}'
  done | sort -u | while read -r library; do
    mkdir -p "$root/$(dirname "$library")"
    cp -L "$library" "$root/$library"
  done
}

# Each with what it needs, in the order in which they can be loaded.
copy_modules() {
  local into=$1 name path number=100
  shift
  mkdir -p "$root/$into"
  for name; do
    /sbin/modprobe -d "$kernel" -S "$version" --show-depends "$name" |
      awk '$1 == "insmod" { print $2 }'
  done | awk '!seen[$0]++' | while read -r path; do
    number=$((number + 1))
    name=$root/$into/$number-$(basename "$path")
    case $path in
      *.xz) xz -dc "$path" >"${name%.xz}" ;;
      *.zst) zstd -qdc "$path" >"${name%.zst}" ;;
      *) cp "$path" "$name" ;;
    esac
  done
}

busybox() {
  local deb unpacked
  deb=$(find "$guest/../../.cache/guest/" -name 'busybox-static_*.deb' |
    sort -V | tail -n 1)
  [[ -n $deb ]] || die "no busybox-static package in .cache/guest: ./dev guest"
  unpacked=$(mktemp -d "$out.XXXXXX")
  dpkg -x "$deb" "$unpacked"
  find "$unpacked" -path '*bin/busybox' -type f -exec cp {} "$root/bin/busybox" \;
  rm -rf "$unpacked"
  for applet in $("$root/bin/busybox" --list); do
    ln -s busybox "$root/bin/$applet" 2>/dev/null || true
  done
}

mkdir -p "$root"/{bin,sbin,proc,sys,dev,tmp,lib,lib64,usr/bin,usr/share,etc}
mkdir -p "$root"/{run,data,root,guest,opt/forkfleet,var/tmp,kvm}
busybox
for program in "${ours[@]}"; do
  [[ -x $programs/$program ]] || die "no $programs/$program: run ./dev build"
  strip -o "$root/opt/forkfleet/$program" "$programs/$program"
done
for tool in "${tools[@]}"; do
  rm -f "$root/usr/bin/$(basename "$tool")"
  cp -L "$tool" "$root/usr/bin/"
done
with_libraries "${tools[@]}" "${ours[@]/#/$programs/}"
for place in qemu seabios; do
  [[ -d /usr/share/$place ]] && cp -rL "/usr/share/$place" "$root/usr/share/"
done
find "$root/usr/share/qemu" \( -name '*.fd' -o -name 'edk2*' -o \
  -name 'opensbi*' -o -name 'u-boot*' -o -name 'skiboot*' -o \
  -name 's390*' -o -name 'palcode*' -o -name 'openbios*' -o -name '*.dtb' \
  -o -name '*.json' -o -name 'QEMU,*' -o -name 'slof*' \) -delete
copy_modules modules "${first_modules[@]}"
copy_modules net_modules "${net_modules[@]}"
cp "$guest"/{vmlinuz,initrd.img,initrd-agent.img} "$root/guest/"
cp "$here"/{cases,fleet,host_cases,guest_cases,limit_cases}.sh "$root/kvm/"
cp "$here/init.sh" "$root/init"
chmod +x "$root/init"
printf 'root:x:0:0:root:/root:/bin/sh\nfleet:x:1000:1000::/tmp:/bin/sh\n' \
  >"$root/etc/passwd"
printf 'root:x:0:\nfleet:x:1000:\nkvm:x:1001:\n' >"$root/etc/group"
printf '127.0.0.1 localhost\n' >"$root/etc/hosts"
(cd "$root" && find . | cpio --create --format=newc --owner=0:0 --quiet) \
  >"$out.part"
mv "$out.part" "$out"
