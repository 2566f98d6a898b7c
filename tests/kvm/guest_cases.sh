# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# Cases about a guest that is branched, and its children.

live_method() {
  if is_tracked_kernel; then echo tracked; else echo background-snapshot; fi
}

report_line() {
  jq -r '"\(.mode) \(.method) \(.pause_us / 1000 | floor) ms"' /tmp/report
}

# Every capture mode; the method is that of this kernel; every child is right.
case_methods() {
  guest counter 96MiB 5 8 | write_fleet
  start_fleet
  wait_until_counting counter
  for mode in full live diff auto; do
    branch counter "m-$mode" "$mode" >/dev/null
    note "$(report_line)"
  done
  method=$(live_method)
  for mode in live diff; do
    has ".[] | select(.tag == \"m-$mode\") | .method == \"$method\"" \
      snapshots >/dev/null || fail "$mode was not taken by $method"
  done
  for mode in full live diff auto; do check_child "m-$mode"; done
  forkfleet --timeout 200s verify --all >/dev/null || fail "verify failed"
  check_guest counter
}

# Ten diffs over each other; the last and one in the middle are right.
case_chain() {
  branch counter c-0 full >/dev/null
  for number in 1 2 3 4 5 6 7 8 9 10; do
    branch counter "c-$number" diff >/dev/null
    case $number in 1 | 5 | 10) note "diff $number $(report_line)" ;; esac
    sleep 1
  done
  check_child c-10
  check_child c-5
  forkfleet --timeout 200s verify c-10 >/dev/null || fail "verify failed"
  check_guest counter
}

# Eight children at once.
case_fork() {
  branch counter f auto >/dev/null
  forkfleet --timeout 500s fork f --count 8 --name kid --deadline 200s \
    -o json >/tmp/fork || fail "fork: $(jq -c '[.[].outcome.message]' /tmp/fork)"
  note "$(jq 'map(select(.outcome.code == "none")) | length' /tmp/fork) started"
  for number in 1 2 3 4 5 6 7 8; do check_guest "kid-$number"; done
  for number in 1 2 3 4 5 6 7 8; do
    forkfleet --timeout 60s stop "kid-$number" >/dev/null ||
      fail "stop kid-$number failed"
  done
  check_guest counter
  check_nothing_is_left
}

# The node is killed in a stage of a branch: the guest runs on, is managed
# again, the next branch is right and nothing is left of the one before.
kill_in() {
  kill_program node
  start_node "kill:$1"
  wait_for 200 "the node joins" is_node_up
  wait_for 120 "counter is adopted" is_running counter
  forkfleet --timeout 60s branch counter --tag "k-$2" --mode "$3" \
    --deadline 50s >/dev/null 2>&1 || true
  wait_for 30 "the node dies at $1" has_ended node
  start_node
  wait_for 200 "the node joins again" is_node_up
  wait_for 120 "counter is adopted again" is_running counter
  check_guest counter
  branch counter "after-$2" auto >/dev/null
  note "then $(report_line)"
  check_nothing_is_left
}

case_kill_pause() { kill_in stage.pause pause auto; }
case_kill_capture() { kill_in stage.capture capture live; }
case_kill_resume() { kill_in stage.resume resume diff; }
case_kill_seal() {
  kill_in seal.hashed seal full
  check_child after-seal
}

case_kill_vmm() {
  pid=$(fleet_says ls | jq -r '.[] | select(.id == "counter").pid')
  kill -9 "$pid"
  wait_for 20 "the dead VM is seen" is_gone_or_ended counter
  forkfleet --timeout 200s restore after-seal --name again >/dev/null ||
    fail "restore failed"
  check_guest again
  stop_fleet
}

is_gone_or_ended() { ! is_running "$1"; }

# A guest with an agent on a network of its own: its host reaches it, its
# children answer at addresses of their own.
case_network() {
  {
    agent_guest wired 160MiB
    printf '    network: {mode: namespace}\n'
  } | write_fleet
  start_fleet
  wait_for 180 "wired runs" is_running wired
  wait_for 180 "wired answers on its network" answers wired
  note "wired at $(address_of wired)"
  branch wired net auto >/dev/null
  forkfleet --timeout 300s restore net --name wired-kid --deadline 200s \
    >/dev/null || fail "the child did not become ready"
  wait_for 120 "the child answers on its network" answers wired-kid
  note "child at $(address_of wired-kid)"
  [ "$(address_of wired)" != "$(address_of wired-kid)" ] ||
    fail "source and child have one address"
  stop_fleet
  left=$(find /run/netns -type f 2>/dev/null | wc -l)
  [ "$left" = 0 ] || fail "$left network namespaces are left"
}

address_of() {
  fleet_says ls | jq -r ".[] | select(.id == \"$1\").network.address" |
    cut -d / -f 1
}

answers() { ping -c 1 -W 3 "$(address_of "$1")"; }
