#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# ./dev mutate [--resume] [NAME]...: breaks one line at a time in a copy of the
# tree, and sees the test that guards it fail. tests/mutants/README.md has the
# format.
set -euo pipefail

here=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../.." && pwd)
table=$here/tests/mutants/table.txt
tree=$here/.cache/mutate/tree
report=$here/.cache/mutate/report.txt

# Seconds that building one binary, running one test, and all may take.
build_limit=1800
test_limit=600
run_limit=28800

names=() files=() lines=() withs=() tests=() filters=()

die() {
  printf 'mutate: %s\n' "$*" >&2
  exit 1
}

# One stanza into the arrays; nothing when there is none.
keep_stanza() {
  local -n x=$1
  ((${#x[@]})) || return 0
  local key
  for key in name file line with test filter; do
    [[ -v x[$key] ]] || die "$table: ${x[name]:-a stanza} lacks '$key:'"
  done
  names+=("${x[name]}") files+=("${x[file]}") lines+=("${x[line]}")
  withs+=("${x[with]}") tests+=("${x[test]}") filters+=("${x[filter]}")
  x=()
}

read_table() {
  local text key
  # shellcheck disable=SC2034 # by name in keep_stanza
  local -A stanza=()
  while IFS= read -r text || [[ -n $text ]]; do
    case $text in
      '') keep_stanza stanza ;;
      '#'*) ;;
      *': '*)
        key=${text%%: *}
        # shellcheck disable=SC2034 # by name in keep_stanza
        stanza[$key]=${text#*: }
        ;;
      *) die "$table: not 'key: value': $text" ;;
    esac
  done <"$table"
  keep_stanza stanza
}

# In how many lines of file $1 the text $2 stands alone but for its indentation.
count_line() {
  wanted=$2 awk '{ sub(/^ +/, "") } $0 == ENVIRON["wanted"] { n++ }
    END { print n + 0 }' "$1"
}

# File $1 with line $2 changed to $3; the indentation stays.
change_line() {
  wanted=$2 instead=$3 awk '{
      text = $0; sub(/^ +/, "", text)
      if (text == ENVIRON["wanted"])
        print substr($0, 1, length($0) - length(text)) ENVIRON["instead"]
      else print
    }' "$1"
}

# A copy of what is there now, committed or not. Only what differs is written,
# so that little is built anew.
copy_tree() {
  mkdir -p "$tree"
  local path
  cd "$here"
  git ls-files -co --exclude-standard | while IFS= read -r path; do
    [[ -f $path ]] || continue
    cmp -s "$path" "$tree/$path" && continue
    mkdir -p "$tree/$(dirname "$path")"
    cp -p "$path" "$tree/$path"
    touch "$tree/$path"
  done
  # What was removed here must not be built there.
  (cd "$tree" && find . -type f -not -path './build/*' -not -path './.*') |
    sed 's|^\./||' | while IFS= read -r path; do
    [[ -e $here/$path ]] || rm -f "$tree/$path"
  done
  mkdir -p "$tree/build"
  [[ ! -d $here/build/guest ]] || ln -sfn "$here/build/guest" "$tree/build/guest"
}

build_target() {
  (cd "$tree" && timeout "$build_limit" ./dev build dev "$@") >"$tree/build.log" 2>&1
}

# 0: the test passed; 1: it failed; 2: it ran nothing; 3: it cannot run here;
# 4: it did not end.
run_filter() {
  local outcome=0 log=$tree/test.log
  (cd "$tree" && timeout -k 10 "$test_limit" "build/dev/bin/$1" --abort "$2") \
    >"$log" 2>&1 || outcome=$?
  if grep -q 'No test cases matched\|No tests ran' "$log"; then return 2; fi
  if ((outcome == 124 || outcome == 137)); then return 4; fi
  if ((outcome != 0)); then return 1; fi
  if grep -q '^SKIPPED: ' "$log"; then return 3; fi
}

tell() {
  printf '%-9s %s\n' "$1" "$2" >>"$report"
  printf '%s %-9s %s\n' "$(clock)" "$1" "$2"
}

# How long this run has taken.
clock() {
  printf '%02d:%02d:%02d' $((SECONDS / 3600)) $((SECONDS / 60 % 60)) \
    $((SECONDS % 60))
}

# What all of the tree's files are now. A report tells of one such tree.
digest_of_tree() {
  cd "$here"
  local path
  git ls-files -co --exclude-standard | LC_ALL=C sort -u |
    while IFS= read -r path; do
      [[ ! -f $path ]] || sha256sum -- "$path"
    done | sha256sum | cut -d ' ' -f 1
}

# The report of this very tree goes on; one of another tree is begun anew.
open_report() {
  local head
  head="tree      $(digest_of_tree)"
  [[ -f $report && $(head -n 1 "$report") == "$head" ]] ||
    printf '%s\n' "$head" >"$report"
}

# Removes what the report says of mutant $1.
forget_verdict() {
  name=$1 awk 'NR == 1 { print; next }
    { said = $2; sub(/[:,]$/, "", said) } said != ENVIRON["name"]' \
    "$report" >"$report.new"
  mv "$report.new" "$report"
}

is_settled() {
  name=$1 awk '{ said = $2; sub(/[:,]$/, "", said) }
    said == ENVIRON["name"] && ($1 == "killed" || $1 == "skipped") { n = 1 }
    END { exit !n }' "$report"
}

count_verdicts() { grep -c "^$1 " "$report" || true; }

# What mutant $1 comes to: killed, survived, or why it tells nothing.
judge() {
  local i=$1 outcome=0
  local source=$here/${files[i]} copy=$tree/${files[i]}
  [[ -f $source ]] || { tell stale "${names[i]}: ${files[i]} is not there"; return; }
  if (($(count_line "$source" "${lines[i]}") != 1)); then
    tell stale "${names[i]}: its line does not stand once in ${files[i]}"
    return
  fi
  if ! build_target "${tests[i]}"; then
    tell broken "${names[i]}: ${tests[i]} does not build; see $tree/build.log"
    return
  fi
  run_filter "${tests[i]}" "${filters[i]}" || outcome=$?
  case $outcome in
    0) ;;
    2) tell broken "${names[i]}: no test is called '${filters[i]}'" ;;
    3) tell skipped "${names[i]}: its test cannot run here" ;;
    *) tell broken "${names[i]}: its test fails without it" ;;
  esac
  ((outcome == 0)) || return 0
  change_line "$source" "${lines[i]}" "${withs[i]}" >"$copy"
  if ! build_target "${tests[i]}"; then
    tell broken "${names[i]}: it does not compile; see $tree/build.log"
  else
    run_filter "${tests[i]}" "${filters[i]}" || outcome=$?
    case $outcome in
      0) tell survived "${names[i]}: ${tests[i]} '${filters[i]}' passes" ;;
      4) tell killed "${names[i]}, in that its test does not end" ;;
      *) tell killed "${names[i]}" ;;
    esac
  fi
  cp "$source" "$copy"
}

wants() {
  local name=$1 one
  shift
  (($#)) || return 0
  for one in "$@"; do
    # shellcheck disable=SC2053 # names may be patterns
    [[ $name == $one ]] && return 0
  done
  return 1
}

main() {
  local resume=0 i word all=0 asked=() wrong=0 summary=''
  if [[ ${1:-} == --resume ]]; then
    resume=1
    shift
  fi
  read_table
  copy_tree
  open_report
  for i in "${!names[@]}"; do
    wants "${names[i]}" "$@" || continue
    all=$((all + 1))
    ((resume)) && is_settled "${names[i]}" && continue
    asked+=("$i")
    forget_verdict "${names[i]}"
  done
  ((all)) || die "no mutant is called $*; see $table"
  local done_so_far=0
  for i in ${asked[@]+"${asked[@]}"}; do
    done_so_far=$((done_so_far + 1))
    if ((SECONDS >= run_limit)); then
      tell left "${names[i]}: the time was up; --resume goes on"
      continue
    fi
    printf '%s %s of %s: %s\n' "$(clock)" "$done_so_far" "${#asked[@]}" \
      "${names[i]}"
    judge "$i"
  done
  for word in killed survived stale broken skipped left; do
    summary+="$(count_verdicts "$word") $word, "
  done
  printf '%sof %s in the table; this run took %s\n%s\n' "$summary" \
    "${#names[@]}" "$(clock)" "$report"
  wrong=$(grep -c '^survived\|^stale\|^broken\|^left' "$report" || true)
  ((wrong == 0))
}

main "$@"
