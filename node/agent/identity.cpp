// SPDX-License-Identifier: Apache-2.0
#include "node/agent/identity.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <random>

#include <fmt/format.h>

#include "actors/base64.hpp"
#include "actors/bounded_text.hpp"
#include "node/agent/guest_agent.hpp"
#include "node/agent/shell_text.hpp"

namespace forkfleet {

namespace {

using std::chrono::steady_clock;

constexpr std::size_t hostname_max = 63;
constexpr std::size_t entropy_words = 16; // 512 bits
constexpr std::size_t machine_words = 4;
/// Of each value of a receipt.
constexpr std::size_t value_bytes_max = 128;

constexpr std::string_view preamble = R"sh(set -u
export PATH="/usr/sbin:/usr/bin:/sbin:/bin:${PATH:-}"
say() { printf '%s=%s\n' "$1" "$2"; }
die() { say error "$1"; exit 1; }
umask 077
mkdir -p /run/forkfleet 2>/dev/null && true 2>/dev/null >/run/forkfleet/env ||
  die '/run/forkfleet cannot be written: mount a tmpfs on /run in the guest'
# A file of a root that cannot be written gets another one laid over it.
put() {
  printf '%s\n' "$2" 2>/dev/null >"$1" && return
  [ -e "$1" ] || return 1
  over=/run/forkfleet/$(basename "$1")
  printf '%s\n' "$2" >"$over" && chmod 444 "$over" &&
    mount --bind "$over" "$1" 2>/dev/null
}
)sh";

// The seed must count at once: until the kernel draws on its pool again, all
// children would go on with the same numbers. Its bits are credited first, for
// a kernel that has too few yet. 0x40085203 is RNDADDENTROPY, 0x5207 is
// RNDRESEEDCRNG: random(4).
constexpr std::string_view reseeding = R"sh(
seeded=/usr/lib/forkfleet/reseed
seed() { printf '%s' "$entropy"; }
if [ -x "$seeded" ] && seed | "$seeded"; then
  say entropy "$seeded"
elif seed | perl -e 'my $s = <STDIN>; open F, "+<", "/dev/urandom" or exit 1;
    ioctl(F, 0x40085203, pack("iia*", 512, length $s, $s)) or exit 1;
    ioctl(F, 0x5207, 0) or exit 1' 2>/dev/null; then
  say entropy perl
elif seed | python3 -c 'import fcntl, struct, sys
s = sys.stdin.buffer.read()
f = open("/dev/urandom", "r+b", 0)
fcntl.ioctl(f, 0x40085203, struct.pack("ii", 512, len(s)) + s)
fcntl.ioctl(f, 0x5207)' 2>/dev/null; then
  say entropy python3
else
  die "entropy: not seeded anew: no perl, no python3, no $seeded"
fi
)sh";

constexpr std::string_view ending = R"sh(
if [ -x /etc/forkfleet/on-fork ]; then
  /etc/forkfleet/on-fork </dev/null >/dev/null 2>&1 ||
    die "/etc/forkfleet/on-fork ended with $?"
fi
say hostname "$(cat /proc/sys/kernel/hostname)"
say machine_id "$(cat /etc/machine-id)"
say sample "$(head -c 16 /dev/urandom | od -An -tx1 | tr -d ' \n')"
say done yes
)sh";

std::string random_hex(std::size_t words) {
  auto source = std::random_device{};
  auto text = std::string{};
  for (std::size_t i = 0; i < words; ++i)
    text += fmt::format("{:08x}", source());
  return text;
}

bool is_letter_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
         || (c >= '0' && c <= '9');
}

// Letters, digits and inner hyphens (RFC 1123).
bool is_hostname(std::string_view text) {
  return !text.empty() && text.size() <= hostname_max && text.front() != '-'
         && text.back() != '-' && std::ranges::all_of(text, [](char c) {
              return c == '-' || is_letter_or_digit(c);
            });
}

// A sandbox' name as a host name.
std::string hostname_of(const std::string& name) {
  auto text = name.substr(0, hostname_max);
  std::ranges::replace_if(
    text, [](char c) { return !is_letter_or_digit(c); }, '-');
  while (!text.empty() && text.back() == '-')
    text.pop_back();
  const auto first = text.find_first_not_of('-');
  return first == std::string::npos ? "child" : text.substr(first);
}

// Near enough for what runs in the script; guest_clock does the rest.
std::string clock_lines(microseconds clock) {
  const auto seconds = clock.count() / 1'000'000;
  const auto rest = clock.count() % 1'000'000;
  return fmt::format("if date -u -s '@{0}.{1:06}' >/dev/null 2>&1; then\n"
                     "  say grain fraction\n"
                     "else\n"
                     "  date -u -s '@{0}' >/dev/null 2>&1 ||\n"
                     "    die 'clock: date cannot set it'\n"
                     "fi\n",
                     seconds, rest);
}

std::string name_lines(const identity_plan& plan) {
  return fmt::format(
    "printf '%s\\n' {0} >/proc/sys/kernel/hostname ||\n"
    "  die 'hostname: the kernel does not take it'\n"
    "[ ! -e /etc/hostname ] || put /etc/hostname {0} ||\n"
    "  die '/etc/hostname can neither be written nor covered by a mount'\n"
    "put /etc/machine-id {1} ||\n"
    "  die '/etc/machine-id can neither be written nor covered by a mount: "
    "its image must have that file, or a root that can be written'\n"
    "chmod 444 /etc/machine-id 2>/dev/null\n"
    "[ ! -f /var/lib/dbus/machine-id ] || [ -L /var/lib/dbus/machine-id ] ||\n"
    "  put /var/lib/dbus/machine-id {1}\n",
    shell_word(plan.hostname), shell_word(plan.machine_id));
}

std::string input_lines(const child_input& input) {
  auto text = std::string{};
  for (const auto& entry : input.environment) {
    const auto sign = entry.find('=');
    text +=
      entry.substr(0, sign + 1) + shell_word(entry.substr(sign + 1)) + "\n";
  }
  return fmt::format("printf '%s' {} >/run/forkfleet/env ||\n"
                     "  die '/run/forkfleet/env cannot be written'\n"
                     "printf '%s' {} >/run/forkfleet/seed ||\n"
                     "  die '/run/forkfleet/seed cannot be written'\n",
                     shell_word(text), shell_word(input.seed));
}

/// What the script found out about the guest's `date`.
clock_grain grain_of(std::string_view printed) {
  return printed.find("grain=fraction\n") == std::string_view::npos
           ? clock_grain::second
           : clock_grain::fraction;
}

} // namespace

status check(const child_input& input) {
  if (!input.hostname.empty() && !is_hostname(input.hostname))
    return fail(ec::invalid_request,
                "hostname '" + input.hostname
                  + "': letters, digits and inner hyphens, at most 63");
  if (input.environment.size() > child_environment_max)
    return fail(ec::invalid_request,
                fmt::format("environment: {} entries, at most {}",
                            input.environment.size(), child_environment_max));
  if (input.files.size() > child_files_max)
    return fail(ec::invalid_request,
                fmt::format("files: {}, at most {}", input.files.size(),
                            child_files_max));
  auto bytes = input.seed.size();
  for (const auto& entry : input.environment) {
    if (!is_assignment(entry) || has_zero(entry))
      return fail(ec::invalid_request,
                  "environment '" + entry + "' is not NAME=VALUE");
    bytes += entry.size();
  }
  for (const auto& file : input.files) {
    if (!file.path.starts_with('/') || has_zero(file.path))
      return fail(ec::invalid_request,
                  "file '" + file.path + "' is not an absolute path");
    if (!from_base64(file.content))
      return fail(ec::invalid_request, file.path + ": not base64");
    bytes += file.content.size();
  }
  if (has_zero(input.seed))
    return fail(ec::invalid_request, "seed: holds a zero byte");
  if (bytes > child_bytes_max)
    return fail(ec::invalid_request,
                fmt::format("the input of one child is {} bytes, at most {}",
                            bytes, child_bytes_max));
  return {};
}

std::string identity_script(const identity_plan& plan) {
  return std::string{preamble}
         + fmt::format("entropy={}\n", shell_word(plan.entropy))
         + std::string{reseeding} + clock_lines(plan.clock) + name_lines(plan)
         + input_lines(plan.input) + std::string{ending};
}

expected<identity_receipt> read_receipt(std::string_view printed) {
  auto receipt = identity_receipt{};
  bool is_done = false;
  while (!printed.empty()) {
    const auto line = printed.substr(0, printed.find('\n'));
    printed.remove_prefix(std::min(printed.size(), line.size() + 1));
    const auto sign = line.find('=');
    if (sign == std::string_view::npos)
      continue;
    const auto key = line.substr(0, sign);
    if (key == "error")
      return fail(ec::vmm_refused, "the guest did not take its identity: "
                                     + bounded_text(line.substr(sign + 1)));
    const auto value = bounded_text(line.substr(sign + 1), value_bytes_max);
    if (key == "entropy")
      receipt.entropy = value;
    else if (key == "hostname")
      receipt.hostname = value;
    else if (key == "machine_id")
      receipt.machine_id = value;
    else if (key == "sample")
      receipt.sample = value;
    else if (key == "done")
      is_done = value == "yes";
  }
  if (!is_done || receipt.entropy.empty())
    return fail(ec::vmm_refused,
                "the guest ended half-way through taking its identity");
  return receipt;
}

identity_plan plan_identity(const std::string& name, const child_input& input) {
  return {.hostname =
            input.hostname.empty() ? hostname_of(name) : input.hostname,
          .machine_id = random_hex(machine_words),
          .entropy = random_hex(entropy_words),
          .input = input};
}

expected<identity_receipt> give_identity(const std::string& socket,
                                         const identity_plan& plan,
                                         const wall_clock& wall,
                                         deadline_point until) {
  const auto begun = steady_clock::now();
  auto agent = guest_agent::connect(socket, until);
  if (!agent)
    return tl::unexpected(agent.error());
  for (const auto& file : plan.input.files)
    if (auto written = agent->write_file(
          file.path, from_base64(file.content).value_or(""), until);
        !written)
      return tl::unexpected(written.error());
  auto current = plan;
  current.clock = wall();
  const auto taken = agent->run(
    {.path = "/bin/sh", .arguments = {"-s"}, .input = identity_script(current)},
    until);
  if (!taken)
    return tl::unexpected(taken.error());
  auto receipt = read_receipt(taken->output);
  if (!receipt)
    return receipt;
  if (receipt->hostname != plan.hostname
      || receipt->machine_id != plan.machine_id)
    return fail(ec::vmm_refused,
                "the guest acknowledged another identity: " + receipt->hostname
                  + ", " + receipt->machine_id);
  // Last, because all else took its time.
  const auto clock = set_clock(*agent, wall, grain_of(taken->output), until);
  if (!clock)
    return tl::unexpected(clock.error());
  receipt->guest_clock = clock->guest;
  receipt->acknowledged_at = clock->host;
  receipt->files = plan.input.files.size();
  receipt->elapsed =
    std::chrono::duration_cast<microseconds>(steady_clock::now() - begun);
  return receipt;
}

} // namespace forkfleet
