#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# usage: cases.sh CASE...
# Runs inside the emulated host. One line a case for who reads the console:
# `@case NAME ok|failed|skipped SECONDS WHAT`; before that of a failed one,
# the ends of all logs.
# shellcheck disable=SC1091
. /kvm/fleet.sh
# shellcheck disable=SC1091
. /kvm/host_cases.sh
# shellcheck disable=SC1091
. /kvm/guest_cases.sh
# shellcheck disable=SC1091
. /kvm/limit_cases.sh

case_limit=900

show_logs() {
  for file in /data/log/* /data/state/h1/sandboxes/*/*.log; do
    [ -s "$file" ] || continue
    echo "--- $file"
    tail -n 40 "$file" | cut -c 1-400
  done
}

run_case() {
  : >/tmp/note
  begun=$(date +%s)
  echo "@begin $1"
  timeout -k 5 "$case_limit" sh -e /kvm/cases.sh --one "$1"
  outcome=$?
  elapsed=$(($(date +%s) - begun))
  case $outcome in
    0) word=ok ;;
    77) word=skipped ;;
    *) word=failed ;;
  esac
  if [ "$word" = failed ]; then
    [ "$outcome" = 143 ] && note "not done after $case_limit s"
    show_logs
  fi
  echo "@case $1 $word $elapsed $(tr '\n' ';' </tmp/note 2>/dev/null)"
}

if [ "$1" = --one ]; then
  "case_$2"
  exit
fi
mkdir -p /data/log
for name; do run_case "$name"; done
