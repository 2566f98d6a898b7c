# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# What the cases share: a fleet of one host whose programs are started and
# killed here, and questions about it. Every function that fails ends the
# case, with a note that says why.

fleet=/data/fleet.yaml
export FORKFLEET_FLEET=$fleet
is_tracked_kernel() {
  # Asynchronous write protection came with Linux 6.7.
  [ "$(uname -r | cut -d . -f 1)" -gt 6 ] ||
    [ "$(uname -r | cut -d . -f 2)" -ge 7 ]
}

# What a case says about itself; shown beside its outcome.
note() { printf '%s\n' "$*" >>/tmp/note; }

fail() {
  note "$*"
  exit 1
}

skip() {
  note "$*"
  exit 77
}

# wait_for SECONDS WHAT COMMAND...
wait_for() {
  limit=$(($(date +%s) + $1))
  what=$2
  shift 2
  while ! "$@" >/dev/null 2>&1; do
    [ "$(date +%s)" -lt "$limit" ] || fail "waited in vain: $what"
    sleep 1
  done
}

# Nothing of an earlier case, whatever became of it. This host is the cases'
# own, so whoever runs one of these programs is theirs.
clear_host() {
  for process in /proc/[0-9]*; do
    case $(readlink "$process/exe") in
      /opt/forkfleet/* | /usr/bin/qemu-*)
        kill -9 "${process#/proc/}" 2>/dev/null || true
        ;;
    esac
  done
  sleep 1
  find /sys/fs/cgroup/forkfleet -mindepth 1 -depth -type d -exec rmdir {} + 2>/dev/null || true
  rm -rf /data/state /data/user /data/log
}

# A fleet file on a host that is clear; the sandboxes' list comes from
# standard input.
write_fleet() {
  clear_host
  mkdir -p /data/log
  {
    cat <<'Y'
version: 1
name: emulated
state: /data/state
coordinator:
  listen: 127.0.0.1:7711
  node_timeout: 20s
hosts:
  - name: h1
Y
    [ -z "${cgroup:-}" ] || printf '    cgroup: %s\n' "$cgroup"
    echo 'sandboxes:'
    cat
  } >"$fleet"
}

# guest NAME MEMORY [RATE_MIB [SET_MIB]]: an entry of that list.
guest() {
  cat <<Y
  - name: $1
    host: h1
    kernel: /guest/vmlinuz
    initrd: /guest/initrd.img
    memory: $2
    append: ff.ports=0 ff.idle=sleep ff.tick_us=5000 ff.rate_mib=${3:-2} ff.set_mib=${4:-16}
Y
}

agent_guest() {
  guest "$1" "$2" 1 4 | sed 's/initrd.img/initrd-agent.img/'
  echo '    guest_agent: true'
}

# start_program NAME COMMAND...: in a session of its own, so that it outlives
# the case.
start_program() {
  program=$1
  shift
  setsid "$@" >>"/data/log/$program" 2>&1 </dev/null &
  echo $! >"/data/log/$program.pid"
}

pid_of() { cat "/data/log/$1.pid"; }
is_alive() { kill -0 "$(pid_of "$1")"; }
has_ended() { ! is_alive "$1"; }

start_coordinator() {
  start_program coordinator forkfleet-coordinator --fleet "$fleet"
}

# start_node [FAULT]
# shellcheck disable=SC2120
start_node() {
  FORKFLEET_FAULT=${1:-} start_program node \
    forkfleet-node --fleet "$fleet" --host h1
}

kill_program() {
  kill -9 "$(pid_of "$1")" 2>/dev/null || true
  wait_for 20 "the end of the $1" has_ended "$1"
}

fleet_says() { forkfleet --timeout 20s "$@" -o json; }

# has JQ_QUESTION VERB...
has() {
  question=$1
  shift
  fleet_says "$@" | jq -e "$question"
}

is_node_up() { has '.[0].state == "up"' nodes; }
is_running() { has ".[] | select(.id == \"$1\") | .state == \"running\"" ls; }
is_gone() { ! has ".[] | select(.id == \"$1\")" ls; }

load_net_modules() {
  ! grep -q '^nft_masq' /proc/modules || return 0
  for module in /net_modules/*; do insmod "$module" 2>/dev/null || true; done
  grep -q '^nft_masq' /proc/modules || fail "nf_tables could not be loaded"
}

start_fleet() {
  load_net_modules
  start_programs
}

start_programs() {
  start_coordinator
  # shellcheck disable=SC2119
  start_node
  wait_for 200 "the node joins" is_node_up
}

stop_fleet() {
  for name in $(fleet_says ls | jq -r '.[].id'); do
    forkfleet --timeout 60s stop "$name" >/dev/null || note "stop $name failed"
  done
  kill_program node
  kill_program coordinator
  rm -rf /data/state
}

# One number of a guest's last complete status line.
figure() {
  forkfleet --timeout 20s logs "$1" | tr -d '\r' | grep "^counter=.*errors=" |
    tail -n 1 | grep -o "\\b$2=[0-9]*" | cut -d = -f 2
}

has_counted() { [ "$(figure "$1" counter)" -gt "$2" ]; }
has_swept() { [ "$(figure "$1" sweeps)" -gt "$2" ]; }

wait_until_counting() {
  wait_for 120 "$1 runs" is_running "$1"
  wait_for 120 "$1 counts" has_counted "$1" 0
}

# The guest counts on, has looked at all of its memory once more, and found
# nothing wrong.
check_guest() {
  counted=$(figure "$1" counter)
  swept=$(figure "$1" sweeps)
  wait_for 120 "$1 counts on from ${counted:-nothing}" \
    has_counted "$1" "${counted:-0}"
  wait_for 180 "$1 looks at its memory" has_swept "$1" "$((${swept:-0} + 1))"
  errors=$(figure "$1" errors)
  [ "$errors" = 0 ] ||
    fail "$1: $(forkfleet logs "$1" | grep -m 1 'first error')"
}

# branch SANDBOX TAG MODE: prints the report.
branch() {
  forkfleet --timeout 200s branch "$1" --tag "$2" --mode "$3" \
    --deadline 180s -o json >/tmp/report ||
    fail "branch $2 ($3): $(jq -c .outcome /tmp/report) $(tail -n 1 /data/log/node)"
  cat /tmp/report
}

# Starts a child, lets it check its memory, and ends it.
check_child() {
  forkfleet --timeout 200s restore "$1" --name "of-$1" >/dev/null ||
    fail "restore $1 failed"
  check_guest "of-$1"
  forkfleet --timeout 60s stop "of-$1" >/dev/null || fail "stop of-$1 failed"
}

check_nothing_is_left() {
  fleet_says fsck >/tmp/fsck || fail "fsck: $(jq -c '.[].items' /tmp/fsck)"
}
