#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# usage: run.sh [--all] [--kernel 6.1|6.12]... [CASE...]
# Runs cases in emulated hosts, one a kernel and side by side, and prints a
# table. What QEMU emulates is a host with AMD's SVM, so that KVM works in it
# wherever QEMU runs. ./dev kvm builds what this needs.
#
# Hosts have one processor each: Linux 6.1 panics with two. cx16 is off
# because QEMU 7.2 spoils the flags after cmpxchg16b, of which 6.12 dies.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$here/../.."
programs=${FORKFLEET_BIN:-$PWD/build/dev/bin}
work=$PWD/build/kvm
cache=$PWD/.cache/kvm
# What .ci/run has time for, and what it has not.
short=(kvm no_nf_tables methods chain kill_capture kill_seal kill_vmm network
  limit_memory limit_cpu limit_pids ordinary_user doctor)
long=(kvm no_nf_tables methods chain fork kill_pause kill_capture kill_resume
  kill_seal kill_vmm network limit_memory limit_cpu limit_pids ordinary_user
  doctor)
limit=1800
kernels=()
cases=("${short[@]}")

say() { printf '%s\n' "$*"; }
die() {
  printf 'kvm: %s\n' "$*" >&2
  exit 2
}

while (($#)); do
  case $1 in
    --all)
      cases=("${long[@]}")
      limit=4200
      ;;
    --kernel)
      (($# > 1)) || die "--kernel takes 6.1 or 6.12"
      kernels+=("$2")
      shift
      ;;
    -*) die "unknown option $1; it is --all or --kernel" ;;
    *) break ;;
  esac
  shift
done
((${#kernels[@]})) || kernels=(6.1 6.12)
if (($#)); then cases=("$@"); fi

# The console of a host is this job's output; QEMU ends with it.
boot() {
  local kernel=$1 names
  names=$(IFS=, && printf '%s' "${cases[*]}")
  timeout -k 5 "$limit" setpriv --pdeathsig KILL qemu-system-x86_64 \
    -machine q35,accel=tcg -cpu EPYC,+svm,+npt,-cx16 -smp 1 -m 6G \
    -nodefaults -nographic -no-reboot -serial stdio \
    -kernel "$cache/$kernel/boot/"vmlinuz-* -initrd "$work/$kernel.img" \
    -append "console=ttyS0 panic=-1 quiet kvm.cases=$names" </dev/null
}

# One line for each case of a host; a case that left none did not end.
results() {
  local log=$1 name line
  for name in "${cases[@]}"; do
    line=$(tr -d '\r' <"$log" | grep -m 1 "^@case $name ") ||
      line="@case $name failed - no outcome: the host ended, or its time"
    say "${line#@case }"
  done
}

mkdir -p "$work"
for kernel in "${kernels[@]}"; do
  bash "$here/fetch_kernel.sh" "$kernel" "$cache"
  bash "$here/make_host.sh" "$cache/$kernel" "$programs" build/guest \
    "$work/$kernel.img"
done
jobs=()
for kernel in "${kernels[@]}"; do
  boot "$kernel" >"$work/$kernel.log" 2>&1 &
  jobs+=($!)
done
trap 'kill "${jobs[@]}" 2>/dev/null || true' EXIT
for job in "${jobs[@]}"; do wait "$job" || true; done
trap - EXIT

passed=0 failed=0 skipped=0 skips=()
for kernel in "${kernels[@]}"; do
  say ""
  say "Linux $(tr -d '\r' <"$work/$kernel.log" | sed -n 's/.*@host //p') under KVM"
  while read -r name outcome seconds what; do
    printf '  %-16s %-8s %4s s  %s\n' "$name" "$outcome" "$seconds" "$what"
    case $outcome in
      ok) ((++passed)) ;;
      skipped)
        ((++skipped))
        skips+=("SKIPPED: $name on Linux $kernel: $what")
        ;;
      *) ((++failed)) ;;
    esac
  done < <(results "$work/$kernel.log")
done
((failed == 0)) || say "consoles, with all logs: $work/*.log"
say ""
for skip in ${skips[@]+"${skips[@]}"}; do say "$skip"; done \
  >"$work/skipped.txt"
cat "$work/skipped.txt"
printf '%s %s %s\n' "$passed" "$failed" "$skipped" >"$work/counts.txt"
say "$passed passed, $failed failed, $skipped skipped"
((failed == 0))
