// SPDX-License-Identifier: Apache-2.0
// The processes of a node's sandboxes, as /proc tells them.
#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <climits>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <map>
#include <set>
#include <sstream>
#include <string_view>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>

#include "actors/durable_file.hpp"
#include "actors/unique_fd.hpp"
#include "node/ledger/host_look.hpp"
#include "node/ledger/sandbox_look.hpp"
#include "node/storage/file.hpp"

namespace forkfleet {

namespace {

constexpr std::size_t arguments_max = 1u << 20;
constexpr std::string_view gone_suffix = " (deleted)";
constexpr std::string_view keeper_program = "forkfleet-keeper";

/// One process that stands in a sandbox' directory.
struct seen_process {
  qemu::process_id id = {};
  pid_t parent = 0;
  std::string sandbox = {};
  std::string program = {};
  bool is_keeper = false;
  uint64_t bytes = 0;
};

/// What stood in the way of a look: nothing when the process has ended, or is
/// of a user whose processes this one may not look at, and never started.
bool is_obstacle(int number, const std::string& place) {
  if (number == ENOENT || number == ESRCH)
    return false;
  struct stat info = {};
  const bool is_others = ::geteuid() != 0 && ::stat(place.c_str(), &info) == 0
                         && info.st_uid != ::geteuid();
  return !((number == EACCES || number == EPERM) && is_others);
}

/// Where a link of /proc leads; empty for a process that has ended, and for
/// what is not ours to see.
expected<std::string> link_target(const std::string& place, const char* name) {
  const auto path = place + "/" + name;
  auto room = std::array<char, PATH_MAX>{};
  const auto got = ::readlink(path.c_str(), room.data(), room.size());
  if (got >= 0)
    return std::string{room.data(), static_cast<std::size_t>(got)};
  if (is_obstacle(errno, place))
    return tl::unexpected(errno_failure(errno, path));
  return std::string{};
}

/// The words of a process; none for one that has ended.
expected<std::vector<std::string>> words_at(const std::string& place) {
  const auto path = place + "/cmdline";
  const auto file = unique_fd{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (!file && is_obstacle(errno, place))
    return tl::unexpected(errno_failure(errno, path));
  auto text = std::string{};
  auto room = std::array<char, 4096>{};
  while (file && text.size() < arguments_max) {
    const auto got = ::read(file.get(), room.data(), room.size());
    if (got == 0)
      break;
    if (got < 0 && errno != EINTR && is_obstacle(errno, place))
      return tl::unexpected(errno_failure(errno, path));
    if (got < 0 && errno != EINTR)
      return std::vector<std::string>{};
    if (got > 0)
      text.append(room.data(), static_cast<std::size_t>(got));
  }
  std::vector<std::string> result;
  auto in = std::istringstream{text};
  for (std::string word; std::getline(in, word, '\0');)
    result.push_back(word);
  return result;
}

/// The sandbox in whose directory `path` lies; empty when it lies elsewhere.
std::string sandbox_of(std::string path, const std::string& sandboxes) {
  if (path.ends_with(gone_suffix))
    path.resize(path.size() - gone_suffix.size());
  if (!path.starts_with(sandboxes + "/"))
    return {};
  const auto rest = path.substr(sandboxes.size() + 1);
  return rest.substr(0, rest.find('/'));
}

/// What stands behind --directory; the keeper has it while it starts, too.
std::string directory_of(const std::vector<std::string>& words) {
  for (std::size_t i = 0; i + 1 < words.size() && words[i] != "--"; ++i)
    if (words[i] == "--directory")
      return words[i + 1];
  return {};
}

/// The fourth field of stat, after the name, which may hold anything.
pid_t parent_of(const std::string& place) {
  const auto text = read_small_file(place + "/stat").value_or("");
  const auto name_end = text.rfind(')');
  if (name_end == std::string::npos)
    return 0;
  auto fields = std::istringstream{text.substr(name_end + 1)};
  auto state = std::string{};
  pid_t parent = 0;
  fields >> state >> parent;
  return parent;
}

uint64_t resident_bytes(const std::string& place) {
  auto fields =
    std::istringstream{read_small_file(place + "/statm").value_or("")};
  uint64_t total = 0;
  uint64_t resident = 0;
  fields >> total >> resident;
  return resident * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
}

bool is_vmm_name(const std::string& program) {
  return program.starts_with("qemu-system") || program == "firecracker";
}

/// A process of a sandbox, or none: sandbox is empty then.
expected<seen_process> look_at_one(const std::string& place, pid_t pid,
                                   const std::string& sandboxes) {
  const auto words = words_at(place);
  if (!words)
    return tl::unexpected(words.error());
  if (words->empty())
    return seen_process{}; // a kernel thread, or one that has ended
  auto seen = seen_process{.id = qemu::identify(pid)};
  seen.program = words->front().substr(words->front().rfind('/') + 1);
  seen.is_keeper = seen.program == keeper_program;
  const auto cwd = link_target(place, "cwd");
  // Some machines have processes that not even root may look at. One that
  // bears no name of ours is none of ours.
  if (!cwd && !seen.is_keeper && !is_vmm_name(seen.program))
    return seen_process{};
  if (!cwd)
    return tl::unexpected(cwd.error());
  seen.sandbox = sandbox_of(*cwd, sandboxes);
  if (seen.sandbox.empty() && seen.is_keeper)
    seen.sandbox = sandbox_of(directory_of(*words), sandboxes);
  if (!seen.sandbox.empty() && seen.id == qemu::process_id{}) {
    if (::kill(pid, 0) == 0 || errno != ESRCH)
      return fail(ec::io_failed, place + ": it cannot be told who it is");
    return seen_process{};
  }
  seen.parent = parent_of(place);
  seen.bytes = resident_bytes(place);
  return seen;
}

/// All of them, or an error: what is not seen would be taken for ended.
expected<std::vector<seen_process>> scan(const look_plan& plan,
                                         const std::string& sandboxes) {
  const auto names = list_directory(plan.processes);
  if (!names)
    return tl::unexpected<failure>(names.error());
  std::vector<seen_process> result;
  for (const auto& name : *names) {
    pid_t pid = 0;
    const auto* end = name.data() + name.size();
    if (std::from_chars(name.data(), end, pid).ptr != end)
      continue;
    auto seen = look_at_one(plan.processes + "/" + name, pid, sandboxes);
    if (!seen)
      return tl::unexpected<failure>(seen.error());
    if (!seen->sandbox.empty())
      result.push_back(std::move(*seen));
  }
  return result;
}

/// When the machine started, in Unix time.
microseconds boot_time() {
  auto in = std::istringstream{read_small_file("/proc/stat").value_or("")};
  for (std::string word; in >> word;) {
    int64_t seconds = 0;
    if (word == "btime" && in >> seconds)
      return std::chrono::seconds{seconds};
  }
  return microseconds{0};
}

microseconds start_of(const qemu::process_id& id, microseconds boot) {
  const auto per_second = static_cast<uint64_t>(::sysconf(_SC_CLK_TCK));
  return boot + microseconds{id.start_ticks * 1'000'000 / per_second};
}

} // namespace

expected<std::vector<ledger_thing>> look_at_processes(const look_plan& plan) {
  auto room = std::array<char, PATH_MAX>{};
  const auto* real = ::realpath(plan.data.c_str(), room.data());
  const auto sandboxes = (real ? std::string{real} : plan.data) + "/sandboxes";
  const auto seen = scan(plan, sandboxes);
  if (!seen)
    return tl::unexpected<failure>(seen.error());
  std::set<pid_t> keepers;
  for (const auto& x : *seen)
    if (x.is_keeper)
      keepers.insert(x.id.pid);
  const auto boot = boot_time();
  std::map<std::string, sandbox_facts> known;
  std::vector<ledger_thing> result;
  for (const auto& x : *seen) {
    if (!known.contains(x.sandbox))
      known[x.sandbox] = look_at_sandbox(sandboxes, x.sandbox);
    const auto& facts = known[x.sandbox];
    const bool is_recorded = facts.vm == x.id;
    const bool is_kept = keepers.contains(x.parent);
    if (!x.is_keeper && !is_recorded && !is_kept && !is_vmm_name(x.program))
      continue;
    result.push_back(
      {.kind = ledger_kind::process,
       .where = fmt::format("{} {}", x.program, x.id.pid),
       .name = x.sandbox,
       .damage = facts.damage,
       .has_record = facts.has_record,
       .is_other_process = !x.is_keeper && !is_recorded && facts.vm.pid > 0,
       .bytes = x.bytes,
       .since = start_of(x.id, boot),
       .process = x.id});
  }
  return result;
}

} // namespace forkfleet
