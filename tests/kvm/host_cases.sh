# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh disable=SC2154
# Cases about the host itself.

case_kvm() {
  [ -c /dev/kvm ] || fail "no /dev/kvm"
  note "Linux $(uname -r), $(qemu-system-x86_64 --version | head -n 1 |
    grep -o 'version [0-9.]*')"
}

# A kernel without nf_tables runs a node and every guest that needs no
# network; what needs one is refused by name.
case_no_nf_tables() {
  ! grep -q '^nf_tables' /proc/modules || fail "nf_tables is loaded"
  {
    guest plain 96MiB
    guest wired 96MiB
    printf '    network: {mode: namespace}\n'
  } | write_fleet
  start_programs
  wait_until_counting plain
  fleet_says nodes | jq -r '.[0].network' >/tmp/network
  note "network: $(cat /tmp/network)"
  grep -qi 'nf_tables' /tmp/network || fail "nodes does not name nf_tables"
  ! is_running wired || fail "a guest that needs nf_tables runs without it"
  stop_fleet
}

# A node of an ordinary user: its guests run under KVM, are branched and have
# children.
case_ordinary_user() {
  guest mine 96MiB | write_fleet
  mkdir -p /data/user
  sed -i 's|/data/state|/data/user/state|' "$fleet"
  chown -R fleet /data/user
  user="/usr/bin/setpriv --reuid 1000 --regid 1000 --clear-groups"
  # The logs are opened here, and the programs run as somebody else.
  chmod 1777 /data/log
  load_net_modules
  # shellcheck disable=SC2086
  start_program coordinator $user forkfleet-coordinator --fleet "$fleet"
  # shellcheck disable=SC2086
  start_program node $user forkfleet-node --fleet "$fleet" --host h1
  wait_for 200 "the node joins" is_node_up
  wait_until_counting mine
  branch mine of-user auto | jq -r '"\(.method): \(.pause_us) us"' >>/tmp/note
  check_child of-user
  forkfleet --timeout 60s stop mine >/dev/null || fail "stop mine failed"
  clear_host
}

# What doctor says of this host must be what happens on it.
case_doctor() {
  forkfleet doctor -o json >/tmp/doctor 2>/tmp/doctor.err ||
    [ -s /tmp/doctor ] || fail "doctor: $(cat /tmp/doctor.err)"
  if is_tracked_kernel; then method=tracked; else method=background-snapshot; fi
  grep -q "$method" /tmp/doctor || fail "doctor does not name $method"
  is_tracked_kernel || grep -q '6\.7' /tmp/doctor ||
    fail "doctor does not say which kernel has the better method"
}
