#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The demo: a coordinator and two nodes on this machine, a guest that is
# branched ten times, and a child of the last snapshot. ./dev demo builds what
# it needs and runs it; arguments go to branch_demo.
set -euo pipefail

cd "$(dirname "$0")/.."
programs=${FORKFLEET_BIN:-$PWD/build/release/bin}
work=$PWD/build/demo
disk=$work/disk
image=$work/disk.img
image_size=8G

say() { printf '%s\n' "$*"; }
die() {
  printf 'demo: %s\n' "$*" >&2
  exit 1
}

root() {
  if ((EUID == 0)); then "$@"; else sudo -n "$@"; fi
}

# An ext4 with a journal of its own, so that the figures are those of a real
# file system and the demo leaves nothing behind.
make_disk() {
  mkdir -p "$disk"
  root true 2>/dev/null || return 1
  rm -f "$image"
  truncate -s "$image_size" "$image"
  mkfs.ext4 -q -E lazy_itable_init=0,lazy_journal_init=0 -m 0 "$image" ||
    return 1
  root mount -o loop,nodev,nosuid "$image" "$disk" 2>/dev/null || return 1
  root chown "$(id -u):$(id -g)" "$disk"
}

choose_place() {
  if make_disk; then
    say "disk: a journaling ext4 of its own, loop mounted on $disk"
    FORKFLEET_STATE=$disk/state
  else
    rm -f "$image"
    FORKFLEET_STATE=$work/state
    say "disk: no loop mount is permitted here, so $work," \
      "which is $(findmnt -no FSTYPE --target "$work")"
  fi
  export FORKFLEET_STATE
}

# Processes whose files, directory or mapped memory lie on the disk.
users_of_disk() {
  local process
  for process in /proc/[0-9]*; do
    if [[ $(readlink "$process/cwd" 2>/dev/null) == "$disk"* ]] ||
      find "$process/fd" -lname "$disk/*" 2>/dev/null | grep -q . ||
      grep -qF " $disk/" "$process/maps" 2>/dev/null; then
      printf '%s %s\n' "${process#/proc/}" "$(<"$process/comm")"
    fi
  done 2>/dev/null
}

remove_disk() {
  local attempt
  mountpoint -q "$disk" || return 0
  for attempt in {1..50}; do
    root umount "$disk" 2>/dev/null && return
    sleep 0.1
  done
  say "demo: after $attempt attempts $disk is still in use, by:" >&2
  users_of_disk >&2
  root umount --lazy "$disk"
}

clean_up() {
  local outcome=$?
  trap - EXIT
  if [[ -n ${is_up:-} ]]; then
    "$programs/forkfleet" down examples/fleet.yaml ||
      say "demo: the fleet did not stop; see $FORKFLEET_STATE" >&2
  fi
  if ((outcome != 0)) && [[ -d ${FORKFLEET_STATE:-}/log ]]; then
    mkdir -p "$work/log"
    cp -r "$FORKFLEET_STATE/log/." "$work/log/"
    say "demo: it failed; the programs' logs are in $work/log" >&2
  fi
  remove_disk
  rm -rf "$image" "$work/state"
  rmdir "$disk" 2>/dev/null || true
  exit "$outcome"
}

for program in forkfleet forkfleet-coordinator forkfleet-node branch_demo; do
  [[ -x $programs/$program ]] || die "no $programs/$program: run ./dev build"
done
mountpoint -q "$disk" && die "$disk is mounted: does another demo run?"
rm -rf "$work/state" "$work/log"
mkdir -p "$work"
trap clean_up EXIT
trap 'exit 130' INT TERM
choose_place

is_up=1
"$programs/forkfleet" up examples/fleet.yaml --detach
"$programs/branch_demo" --fleet examples/fleet.yaml "$@"
