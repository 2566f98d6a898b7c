#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# ./dev mutate [NAME]...: breaks one line at a time in a copy of the tree, and
# sees the test that guards it fail. tests/mutants/README.md has the format.
set -euo pipefail

here=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../.." && pwd)
table=$here/tests/mutants/table.txt
tree=$here/.cache/mutate/tree
report=$here/.cache/mutate/report.txt

# What building one binary, and running one test, may take.
build_limit=1800
test_limit=600

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
  (cd "$tree" && timeout -k 10 "$test_limit" "build/dev/bin/$1" "$2") \
    >"$log" 2>&1 || outcome=$?
  if grep -q 'No test cases matched\|No tests ran' "$log"; then return 2; fi
  if ((outcome == 124 || outcome == 137)); then return 4; fi
  if ((outcome != 0)); then return 1; fi
  if grep -q '^SKIPPED: ' "$log"; then return 3; fi
}

tell() { printf '%-9s %s\n' "$1" "$2" | tee -a "$report"; }

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
  read_table
  copy_tree
  : >"$report"
  local i asked=0
  for i in "${!names[@]}"; do
    wants "${names[i]}" "$@" || continue
    asked=$((asked + 1))
    judge "$i"
  done
  ((asked)) || die "no mutant is called $*; see $table"
  local killed
  killed=$(grep -c '^killed' "$report" || true)
  printf '%s of %s killed\n' "$killed" "$asked"
  ! grep -q '^survived\|^stale\|^broken' "$report"
}

main "$@"
