// SPDX-License-Identifier: Apache-2.0
#include "node/qemu/vm_launch.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <poll.h>
#include <sstream>
#include <unistd.h>

#include <fmt/format.h>

#include "actors/bounded_text.hpp"
#include "actors/durable_file.hpp"
#include "node/preload/preload.hpp"
#include "node/qemu/disk_files.hpp"
#include "node/qemu/guest_memory.hpp"
#include "node/qemu/guest_status.hpp"
#include "node/qemu/host_facts.hpp"
#include "node/qemu/migration.hpp"
#include "node/qemu/vm_inventory.hpp"
#include "node/qemu/vm_record.hpp"

namespace forkfleet::qemu {

namespace {

using std::chrono::steady_clock;

constexpr int poll_interval_ms = 2;
constexpr std::size_t log_tail_bytes = 500;

bool is_program(const std::string& path) {
  return !path.empty() && ::access(path.c_str(), X_OK) == 0;
}

std::string find_in_path(const std::string& name) {
  const char* list = std::getenv("PATH");
  auto folders = std::istringstream{list ? list : "/usr/bin:/bin"};
  auto folder = std::string{};
  while (std::getline(folders, folder, ':'))
    if (is_program(folder + "/" + name))
      return folder + "/" + name;
  return {};
}

std::string beside_this_program(const std::string& name) {
  auto error = std::error_code{};
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  return error ? name : (self.parent_path() / name).string();
}

// What QEMU said last.
std::string log_tail(const std::string& directory) {
  auto text = read_small_file(directory + "/qemu.log").value_or("");
  while (!text.empty() && text.back() == '\n')
    text.pop_back();
  if (text.size() > log_tail_bytes)
    text.erase(0, text.size() - log_tail_bytes);
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text.empty() ? "it said nothing" : bounded_text(text);
}

failure with_log(const failure& error, const std::string& directory) {
  if (error.code != ec::vmm_gone)
    return error;
  return {ec::vmm_refused,
          "QEMU ended while it was started: " + log_tail(directory)};
}

// The socket appears when QEMU has come so far.
expected<std::unique_ptr<qmp_client>>
connect_when_ready(const std::string& path, const process_id& process,
                   deadline_point until) {
  for (;;) {
    auto qmp = qmp_client::connect(path, until);
    if (qmp)
      return qmp;
    if (const auto there = find_process(process); there.has_ended())
      return tl::unexpected(there.error());
    if (steady_clock::now() >= until)
      return fail(ec::deadline_exceeded,
                  path
                    + ": QEMU did not answer in time: " + qmp.error().message);
    ::poll(nullptr, 0, poll_interval_ms);
  }
}

} // namespace

expected<programs> find_programs(const programs& wanted) {
  auto result = wanted;
  if (result.qemu.empty())
    result.qemu = find_in_path("qemu-system-x86_64");
  if (!is_program(result.qemu))
    return fail(ec::unsupported,
                "qemu-system-x86_64 cannot be run; install qemu-system-x86");
  if (const char* set = std::getenv("FORKFLEET_KEEPER");
      result.keeper.empty() && set)
    result.keeper = set;
  if (result.keeper.empty())
    result.keeper = beside_this_program("forkfleet-keeper");
  if (!is_program(result.keeper))
    return fail(ec::unsupported, result.keeper
                                   + " cannot be run; set FORKFLEET_KEEPER to "
                                     "where forkfleet-keeper is");
  if (const char* set = std::getenv("FORKFLEET_PRELOAD");
      result.preload.empty() && set)
    result.preload = set;
  if (result.preload.empty())
    result.preload = beside_this_program(preload::library_file);
  // The loader takes blanks and colons for the end of a name.
  if (::access(result.preload.c_str(), R_OK) != 0
      || result.preload.find_first_of(" :") != std::string::npos)
    result.preload.clear();
  return result;
}

expected<uint64_t> find_child_memory(const process_id& process,
                                     const memory_layout& layout) {
  const auto mappings = mappings_of(process);
  if (!mappings)
    return tl::unexpected(mappings.error());
  // The kernel shows where a file is, not the way on which it was reached.
  auto resolved = layout;
  for (auto& path : resolved.files) {
    auto error = std::error_code{};
    if (auto real = std::filesystem::canonical(path, error); !error)
      path = real.string();
  }
  return find_layout(*mappings, resolved);
}

expected<running_vm> launch_vm(const keeper_command& command,
                               deadline_point until) {
  if (auto started = start_keeper(command, until); !started)
    return tl::unexpected(started.error());
  auto link =
    keeper_link::connect(command.directory + "/" + keeper_socket, until);
  if (!link) {
    // The keeper leaves with its VM: a VM that ended at once takes it along.
    const bool is_late = link.error().code == ec::deadline_exceeded;
    return tl::unexpected(
      is_late ? link.error() : with_log({ec::vmm_gone, {}}, command.directory));
  }
  const auto process = link->identity().vmm;
  auto qmp =
    connect_when_ready(command.directory + "/" + qmp_socket, process, until);
  if (!qmp)
    return tl::unexpected(with_log(qmp.error(), command.directory));
  return running_vm{std::move(*qmp), std::move(*link)};
}

status load_child(qmp_client& qmp, const snapshot_files& snapshot,
                  deadline_point until) {
  if (!is_same_line(qmp.version(), snapshot.contract.vmm_version))
    return fail(ec::unsupported,
                fmt::format("snapshot {} was taken by QEMU {}, this is {}",
                            snapshot.info.tag.value,
                            snapshot.contract.vmm_version, qmp.version()));
  const auto state =
    unique_fd{::open(snapshot.vmstate_path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (!state)
    return tl::unexpected(errno_failure(errno, snapshot.vmstate_path));
  if (auto set = set_up_migration(qmp, false, until); !set)
    return set;
  if (auto given = give_fd(qmp, state.get(), until); !given)
    return given;
  const auto uri = std::string{"fd:"} + migration_fd_name;
  const auto begun = qmp.execute("migrate-incoming", json{{"uri", uri}}, until);
  if (!begun)
    return tl::unexpected(begun.error());
  if (auto loaded = wait_until_completed(qmp, until); !loaded)
    return loaded;
  return see_running(qmp, until);
}

status see_running(qmp_client& qmp, deadline_point until) {
  for (;;) {
    const auto state = query_guest(qmp, until);
    if (!state)
      return tl::unexpected(state.error());
    if (health_of(*state) == vmm_health::running)
      return {};
    if (is_resumable(*state)) {
      if (auto resumed = qmp.execute("cont", until);
          !resumed && resumed.error().code != ec::vmm_refused)
        return tl::unexpected(resumed.error());
    } else if (health_of(*state) == vmm_health::stuck)
      return fail(ec::guest_stuck, qmp.path() + ": the guest is " + *state);
    if (steady_clock::now() >= until)
      return fail(ec::deadline_exceeded,
                  qmp.path() + ": the guest is still " + *state);
    ::poll(nullptr, 0, poll_interval_ms);
  }
}

status end_unfinished(const std::string& directory, deadline_point until) {
  remove_vm_record(directory);
  return end_kept_vm(directory, qmp_socket, until);
}

expected<std::string> machine_type(qmp_client& qmp, deadline_point until) {
  const auto asked = qmp.execute(
    "qom-get", json{{"path", "/machine"}, {"property", "type"}}, until);
  if (!asked)
    return tl::unexpected(asked.error());
  auto name = asked->is_string() ? asked->get<std::string>() : std::string{};
  constexpr std::string_view suffix = "-machine";
  if (name.ends_with(suffix))
    name.resize(name.size() - suffix.size());
  return name;
}

} // namespace forkfleet::qemu
