// SPDX-License-Identifier: Apache-2.0
#include "node/agent/exec_script.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include <fmt/format.h>

#include "actors/bounded_text.hpp"
#include "node/agent/shell_text.hpp"

namespace forkfleet {

namespace {

constexpr std::string_view exec_base = "/run/forkfleet/exec";
constexpr uint64_t exit_status_max = 255;
/// What a guest may say of a start, and nothing else.
constexpr auto told_codes = std::array{ec::invalid_request, ec::unsupported,
                                       ec::node_busy, ec::disk_full};

constexpr std::string_view exec_preamble = R"sh(set -u
PATH="${PATH:+$PATH:}/usr/local/sbin:/usr/local/bin"
export PATH="$PATH:/usr/sbin:/usr/bin:/sbin:/bin"
export HOME="${HOME:-/root}"
d=$b/$i
nap() { sleep 0.05 2>/dev/null || sleep 1; }
)sh";

constexpr std::string_view checks = R"sh(
u=$(umask)
umask 077
left() {
  printf '%s\n' "$1" >"$b/$i.start.part" && mv "$b/$i.start.part" "$b/$i.start"
}
refuse() { left "error=$1 $2"; exit 1; }
mkdir -p "$b" || exit 1
[ ! -e "$b/$i.start" ] || exit 0
for x in cat dd mkfifo mv rm setsid; do
  command -v "$x" >/dev/null 2>&1 ||
    refuse unsupported "the guest has no '$x': it needs busybox, or coreutils \
and util-linux"
done
cd -- "$w" || refuse invalid_request "the guest has no directory '$w'"
[ -r "$in" ] || refuse invalid_request "its input was not written: $in"
)sh";

// Those that have ended and that nobody came back for go first.
constexpr std::string_view claim = R"sh(
count() {
  n=0
  for x in "$b"/*/run; do [ ! -e "$x" ] || n=$((n + 1)); done
}
count
if [ "$n" -ge "$programs" ]; then
  find "$b" -name status -mmin +10 2>/dev/null | while read -r x; do
    rm -rf "${x%/status}"
  done
  count
fi
[ "$n" -lt "$programs" ] ||
  refuse node_busy "the guest keeps $n programs, the most that it may; kill or \
forget some"
set -- "$b"/*.start
[ $# -le 512 ] || ls -t "$b" | grep '[.]start$' | sed '1,512d' |
  while read -r x; do [ -d "$b/${x%.start}" ] || rm -f "$b/$x"; done
mkdir "$d" 2>/dev/null || exit 0
mkfifo "$d/o" "$d/e" && : >"$d/out.0" && : >"$d/err.0" && : >"$d/run" &&
  printf '%-20s\n' running >"$d/status.part" && left state=started || {
  rm -rf "$d"
  refuse disk_full "/run/forkfleet of the guest cannot be written"
}
)sh";

// A read takes what is there, so that a segment grows while the program runs.
constexpr std::string_view pumps = R"sh(
pump() {
  n=0
  while [ -e "$d/run" ]; do
    if [ "$n" -ge "$segments" ]; then
      while [ -s "$d/$1.$((n - segments))" ]; do nap; done
      rm -f "$d/$1.$((n - segments))"
    fi
    if ! dd bs=16384 count=64 of="$d/$1.$n" 2>/dev/null; then
      [ ! -e "$d/run" ] || : >"$d/$1.lost"
      break
    fi
    if [ ! -s "$d/$1.$n" ]; then
      [ ! -e "$d/run" ] || : >"$d/$1.end"
      break
    fi
    n=$((n + 1))
  done
  exec cat >/dev/null
}
pump out <"$d/o" >/dev/null 2>&1 &
pump err <"$d/e" >/dev/null 2>&1 &
)sh";

constexpr std::string_view watchdog = R"sh(
setsid sh -c '
sleep "$2" 2>/dev/null || sleep "$3"
[ -e "$1/run" ] && [ ! -e "$1/status" ] || exit 0
: >"$1/late"
read -r p <"$1/pid" || exit 0
kill -TERM "-$p"
sleep 2
kill -KILL "-$p"
' watchdog "$d" "$limit" "$seconds" </dev/null >/dev/null 2>&1 &
dog=$!
)sh";

// The words before "--" are its environment.
constexpr std::string_view running = R"sh(
setsid sh -c '
echo $$ >"$1/pid"
umask "$2"
shift 2
set -a
[ ! -r /run/forkfleet/env ] || . /run/forkfleet/env
set +a
while [ "$1" != -- ]; do export "$1"; shift; done
shift
exec "$@"
' sh "$d" "$u" "$@" <"$in" >"$d/o" 2>"$d/e"
code=$?
late=0
[ ! -e "$d/late" ] || late=1
printf '%-20s\n' "$code $late" 1<>"$d/status.part"
mv "$d/status.part" "$d/status"
[ -z "$dog" ] || kill -KILL "-$dog" 2>/dev/null || kill -KILL "$dog"
)sh";

constexpr std::string_view killing = R"sh(
[ -e "$d/run" ] && [ ! -e "$d/status" ] || exit 0
n=0
while [ ! -s "$d/pid" ] && [ "$n" -lt 20 ]; do nap; n=$((n + 1)); done
read -r p <"$d/pid" || exit 0
kill -TERM "-$p"
n=0
while [ ! -e "$d/status" ] && [ "$n" -lt 40 ]; do nap; n=$((n + 1)); done
kill -KILL "-$p"
exit 0
)sh";

constexpr std::string_view forgetting = R"sh(
[ ! -e "$d/run" ] || [ -e "$d/status" ] || {
  echo 'error=invalid_request the program has not ended; kill it first'
  exit 1
}
rm -rf "$d"
rm -f "$b/$i.in"
echo state=forgotten
)sh";

std::string script_head(const operation_id& operation) {
  return fmt::format("b={}\ni={}\n", exec_base, operation.value)
         + std::string{exec_preamble};
}

std::string seconds_text(milliseconds x) {
  return fmt::format("{}.{:03}", x.count() / 1000, x.count() % 1000);
}

std::size_t words_bytes(const std::vector<std::string>& words) {
  auto bytes = std::size_t{0};
  for (const auto& word : words)
    bytes += word.size() + 1;
  return bytes;
}

status check_words(const std::vector<std::string>& words,
                   std::string_view what) {
  for (const auto& word : words)
    if (has_zero(word))
      return fail(ec::invalid_request,
                  fmt::format("{}: a word holds a zero byte", what));
  return {};
}

status check_sizes(const exec_request& x) {
  const auto words = x.arguments.size() + x.environment.size();
  const auto bytes = words_bytes(x.arguments) + words_bytes(x.environment);
  if (words > exec_words_max || bytes > exec_bytes_max)
    return fail(ec::invalid_request,
                fmt::format("arguments and environment are {} words of {} "
                            "bytes, at most {} of {}; copy a file into the "
                            "guest instead",
                            words, bytes, exec_words_max, exec_bytes_max));
  if (x.limit < milliseconds::zero() || x.limit > exec_limit_max)
    return fail(ec::invalid_request,
                fmt::format("limit_ms is {}; give 0 to {}", x.limit.count(),
                            exec_limit_max.count()));
  return {};
}

} // namespace

status check(const exec_request& request) {
  if (request.action != exec_action::start)
    return {};
  if (request.arguments.empty() || request.arguments.front().empty())
    return fail(ec::invalid_request, "arguments: there is no program");
  if (auto fine = check_words(request.arguments, "arguments"); !fine)
    return fine;
  if (auto fine = check_words(request.environment, "environment"); !fine)
    return fine;
  for (const auto& entry : request.environment)
    if (!is_assignment(entry))
      return fail(ec::invalid_request,
                  fmt::format("environment: '{}' is not NAME=VALUE", entry));
  if (has_zero(request.directory))
    return fail(ec::invalid_request, "directory: holds a zero byte");
  return check_sizes(request);
}

std::string exec_directory(const operation_id& operation) {
  return fmt::format("{}/{}", exec_base, operation.value);
}

std::string start_script(const exec_request& request) {
  const bool has_limit = request.limit.count() > 0;
  auto text = script_head(request.operation);
  text += fmt::format(
    "w={}\nin={}\nprograms={}\nsegments={}\nlimit={}\nseconds={}\ndog=\n",
    shell_word(request.directory.empty() ? "." : request.directory),
    request.has_input ? "$b/$i.in" : "/dev/null", exec_programs_max,
    exec_segments_max, seconds_text(request.limit),
    (request.limit.count() + 999) / 1000);
  text += std::string{checks} + std::string{claim} + std::string{pumps};
  if (has_limit)
    text += watchdog;
  text += "set --";
  for (const auto& entry : request.environment)
    text += " " + shell_word(entry);
  text += " --";
  for (const auto& word : request.arguments)
    text += " " + shell_word(word);
  return text + std::string{running};
}

std::string kill_script(const operation_id& operation) {
  return script_head(operation) + std::string{killing};
}

std::string forget_script(const operation_id& operation) {
  return script_head(operation) + std::string{forgetting};
}

status read_start(std::string_view text) {
  text = text.substr(0, text.find('\n'));
  if (text == "state=started" || text == "state=forgotten")
    return {};
  constexpr std::string_view sign = "error=";
  if (!text.starts_with(sign))
    return fail(ec::vmm_refused, "the guest does not say what became of it");
  text.remove_prefix(sign.size());
  const auto name = text.substr(0, text.find(' '));
  text.remove_prefix(std::min(text.size(), name.size() + 1));
  for (const auto code : told_codes)
    if (to_string(code) == name)
      return fail(code, bounded_text(text));
  return fail(ec::vmm_refused, bounded_text(text));
}

expected<exit_note> read_exit(std::string_view text) {
  auto note = exit_note{};
  const auto* end = text.data() + text.size();
  const auto got = std::from_chars(text.data(), end, note.status);
  if (got.ec != std::errc{} || end - got.ptr < 2 || *got.ptr != ' '
      || note.status > exit_status_max)
    return fail(ec::vmm_refused, "the guest's note of an exit is damaged");
  note.was_late = got.ptr[1] == '1';
  return note;
}

} // namespace forkfleet
