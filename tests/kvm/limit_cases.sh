# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# Limits that the kernel enforces: each is exceeded, and seen to hold.

# One controller tree for the fleet, with no process in it.
make_cgroup() {
  cgroup=/sys/fs/cgroup/forkfleet
  echo '+cpu +memory +pids +io' >/sys/fs/cgroup/cgroup.subtree_control
  mkdir -p "$cgroup"
}

cgroup_of() {
  fleet_says ls | jq -r ".[] | select(.id == \"$1\").cgroup"
}

limited() { printf '    limits: {%s}\n' "$1"; }

# A guest that wants more memory than its limit ends or is held; the node, the
# host and its neighbour go on.
case_limit_memory() {
  make_cgroup
  {
    guest calm 96MiB
    guest greedy 256MiB 200 160
    limited 'memory: 320MiB'
  } | write_fleet
  start_fleet
  wait_until_counting calm
  wait_until_counting greedy
  place=$(cgroup_of greedy)
  [ "$(cat "$place/memory.max")" = $((320 << 20)) ] ||
    fail "memory.max is $(cat "$place/memory.max")"
  # Page cache of the VM's own files is given back under pressure, so the
  # limit is lowered below what the guest holds: the kernel must act.
  before=$(cat "$place/memory.current")
  echo $((96 << 20)) >"$place/memory.max" || true
  wait_for 60 "the kernel holds the limit" holds_memory "$place"
  note "memory: $((before >> 20)) MiB held, limit 96 MiB:" \
    "$(grep -E '^(max|oom_kill) ' "$place/memory.events" 2>/dev/null |
      tr '\n' ' ')"
  wait_for 60 "the greedy VM's end is seen" is_gone_or_ended greedy
  told=$(fleet_says ls | jq -r '.[] | select(.id == "greedy").note')
  note "told: $told"
  case $told in
    *"its memory limit"*) ;;
    *) fail "why it ended is not told" ;;
  esac
  check_guest calm
}

holds_memory() {
  [ ! -d "$1" ] || grep -q '^oom_kill [1-9]' "$1/memory.events" ||
    [ "$(cat "$1/memory.current")" -le $((96 << 20)) ]
}

# A busy guest with a quarter of a processor gets no more.
case_limit_cpu() {
  branch calm cpu auto >/dev/null
  forkfleet --timeout 200s restore cpu --name slow --cpu-percent 25 \
    >/dev/null || fail "restore failed"
  place=$(cgroup_of slow)
  note "cpu.max $(cat "$place/cpu.max")"
  first=$(sed -n 's/^usage_usec //p' "$place/cpu.stat")
  begun=$(cut -d ' ' -f 1 /proc/uptime)
  sleep 20
  second=$(sed -n 's/^usage_usec //p' "$place/cpu.stat")
  ended=$(cut -d ' ' -f 1 /proc/uptime)
  share=$(awk "BEGIN { printf \"%d\", ($second - $first) /
    (($ended - $begun) * 10000) }")
  note "used $share % of a processor, allowed 25 %"
  [ "$share" -le 30 ] || fail "the limit does not hold"
  forkfleet --timeout 60s stop slow >/dev/null || fail "stop failed"
}

# More threads than the limit are refused by the kernel, and the VM runs on.
case_limit_pids() {
  forkfleet --timeout 200s restore cpu --name few --pids-max 16 \
    >/dev/null || fail "restore failed"
  place=$(cgroup_of few)
  [ "$(cat "$place/pids.max")" = 16 ] || fail "pids.max is not 16"
  # Processes of ours in its place stand for threads of the VMM.
  sh -c "echo \$\$ >$place/cgroup.procs
    n=0
    while [ \$n -lt 20 ]; do n=\$((n + 1)); sleep 15 & done" \
    >/tmp/pids 2>&1 || true
  refused=$(sed -n 's/^max //p' "$place/pids.events")
  note "pids: $(cat "$place/pids.current") of 16, refused ${refused:-0} times"
  [ "${refused:-0}" -gt 0 ] || fail "the limit was not met"
  check_guest few
  stop_fleet
}
