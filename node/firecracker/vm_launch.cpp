// SPDX-License-Identifier: Apache-2.0
#include "node/firecracker/vm_launch.hpp"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <poll.h>
#include <sstream>
#include <unistd.h>

#include <fmt/format.h>

#include "actors/bounded_text.hpp"
#include "actors/durable_file.hpp"
#include "actors/schema/json_text.hpp"
#include "node/firecracker/vm_record.hpp"
#include "node/keeper/guest_line.hpp"
#include "node/keeper/vmm_child.hpp"

namespace forkfleet::firecracker {

namespace {

using std::chrono::steady_clock;

constexpr int poll_interval_ms = 2;
constexpr std::size_t log_tail_bytes = 500;
constexpr auto end_patience = std::chrono::seconds{2};

bool is_program(const std::string& path) {
  return !path.empty() && ::access(path.c_str(), X_OK) == 0;
}

std::string from_environment(const char* name) {
  const char* set = std::getenv(name);
  return set ? set : "";
}

std::string find_in_path(const std::string& name) {
  auto folders = std::istringstream{from_environment("PATH")};
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

// What Firecracker said last.
std::string log_tail(const std::string& directory) {
  auto text = read_small_file(directory + "/" + vmm_log).value_or("");
  while (!text.empty() && text.back() == '\n')
    text.pop_back();
  if (text.size() > log_tail_bytes)
    text.erase(0, text.size() - log_tail_bytes);
  std::ranges::replace(text, '\n', ' ');
  return text.empty() ? "it said nothing" : bounded_text(text);
}

failure ended(const std::string& directory) {
  return {ec::vmm_refused,
          "Firecracker ended while it was started: " + log_tail(directory)};
}

// The socket appears when Firecracker has come so far.
expected<vmm_version> wait_for_api(api& line, const qemu::process_id& process,
                                   const std::string& directory,
                                   deadline_point until) {
  for (;;) {
    auto version = line.version(until);
    if (version || version.error().code != ec::vmm_unreachable)
      return version;
    if (qemu::find_process(process).has_ended())
      return tl::unexpected(ended(directory));
    if (steady_clock::now() >= until)
      return fail(ec::deadline_exceeded,
                  line.path() + ": Firecracker did not answer in time");
    ::poll(nullptr, 0, poll_interval_ms);
  }
}

} // namespace

expected<programs> find_programs(programs wanted) {
  auto& result = wanted;
  if (result.firecracker.empty())
    result.firecracker = from_environment("FORKFLEET_FIRECRACKER");
  if (result.firecracker.empty())
    result.firecracker = find_in_path("firecracker");
  if (!is_program(result.firecracker))
    return fail(ec::unsupported, "firecracker cannot be run; install it, or "
                                 "set FORKFLEET_FIRECRACKER to where it is");
  if (result.keeper.empty())
    result.keeper = from_environment("FORKFLEET_KEEPER");
  if (result.keeper.empty())
    result.keeper = beside_this_program("forkfleet-keeper");
  if (!is_program(result.keeper))
    return fail(ec::unsupported, result.keeper
                                   + " cannot be run; set FORKFLEET_KEEPER to "
                                     "where forkfleet-keeper is");
  return wanted;
}

qemu::keeper_command guarding(const programs& found, const start_plan& plan,
                              const std::string& socket) {
  return {.keeper = found.keeper,
          .directory = plan.directory,
          .watchdog = keeper::api_socket_prefix + socket,
          .leash_pid = plan.leash_pid,
          .output_bytes = plan.output_bytes};
}

expected<launched> launch(const programs& found, const start_plan& plan,
                          deadline_point until) {
  // Firecracker refuses a socket that exists, and one that is left here is
  // of a process that has ended.
  ::unlink((plan.directory + "/" + api_socket).c_str());
  auto command = guarding(found, plan, api_socket);
  command.vmm = {found.firecracker, "--api-sock", api_socket};
  command.record = vm_record_file;
  command.log = vmm_log;
  command.cgroup = plan.cgroup;
  if (auto started = qemu::start_keeper(command, until); !started)
    return tl::unexpected(started.error());
  auto link = qemu::keeper_link::connect(
    plan.directory + "/" + qemu::keeper_socket, until);
  if (!link) {
    // The keeper leaves with its VM: a VM that ended at once takes it along.
    return tl::unexpected(link.error().code == ec::deadline_exceeded
                            ? link.error()
                            : ended(plan.directory));
  }
  auto line = std::make_unique<api>(plan.directory + "/" + api_socket);
  auto version =
    wait_for_api(*line, link->identity().vmm, plan.directory, until);
  if (!version)
    return tl::unexpected(version.error());
  return launched{std::move(line), *version, std::move(*link)};
}

std::string console_of(const vmm_version& version,
                       const std::string& directory) {
  return directory + "/"
         + (rules_of(version).has_serial ? console_file : vmm_log);
}

namespace {

// Its console is a file of its own. No snapshot has that setting: a restored
// VM is told as well.
status give_console(launched& vm, const std::string& directory,
                    deadline_point until) {
  if (!rules_of(vm.version).has_serial)
    return {};
  return vm.line->set_serial(console_of(vm.version, directory), until);
}

} // namespace

status boot(launched& vm, const microvm& x, const std::string& directory,
            deadline_point until) {
  if (auto set = give_console(vm, directory, until); !set)
    return set;
  if (auto set = vm.line->set(x.boot, until); !set)
    return set;
  if (auto set = vm.line->set(x.machine, until); !set)
    return set;
  for (const auto& one : x.drives)
    if (auto added = vm.line->add(one, until); !added)
      return added;
  return vm.line->start(until);
}

status load(launched& vm, const snapshot_files& snapshot,
            const std::string& directory, deadline_point until) {
  const auto writer = parse_version(snapshot.contract.vmm_version);
  if (!writer)
    return tl::unexpected(writer.error());
  if (!is_same_line(*writer, vm.version))
    return fail(ec::unsupported,
                fmt::format("snapshot {} was taken by Firecracker {}, this is "
                            "{}",
                            snapshot.info.tag.value, to_string(*writer),
                            to_string(vm.version)));
  if (!snapshot.memory.is_flat())
    return fail(ec::unsupported, "snapshot " + snapshot.info.tag.value
                                   + " is a chain; flatten it first");
  if (auto set = give_console(vm, directory, until); !set)
    return set;
  if (auto loaded = vm.line->load(
        {snapshot.vmstate_path, snapshot.memory.files.front()}, until);
      !loaded)
    return loaded;
  return vm.line->resume(until);
}

std::string end_of(const std::string& directory) {
  const auto noted =
    read_small_file(directory + "/" + keeper::exit_file).value_or("");
  const auto told = schema::parse_json(noted);
  const auto number = [&told](const char* name) {
    const bool has = told && told->is_object() && told->contains(name)
                     && told->at(name).is_number_integer();
    return has ? told->at(name).get<int64_t>() : -1;
  };
  const auto signal = number("signal");
  const auto how = signal > 0 ? fmt::format("signal {}", signal)
                   : number("status") >= 0
                     ? fmt::format("exit status {}", number("status"))
                     : std::string{"how is not known"};
  return how + "; its log ends: " + log_tail(directory);
}

status live_through(const launched& vm, const std::string& directory,
                    std::chrono::milliseconds time, deadline_point until) {
  const auto process = qemu::find_process(vm.keeper.identity().vmm);
  const auto limit =
    std::min<deadline_point>(until, steady_clock::now() + time);
  if (process.runs() && !qemu::wait_for_end(process.pidfd(), limit))
    return {};
  if (!process.runs() && !process.has_ended())
    return tl::unexpected(process.error());
  // It has been written down when the keeper has left.
  static_cast<void>(
    vm.keeper.wait_for_end(steady_clock::now() + end_patience).has_value());
  return fail(ec::vmm_gone,
              "the VM ended as soon as it ran, with " + end_of(directory));
}

status end_unfinished(const std::string& directory, deadline_point until) {
  remove_vm_record(directory);
  return qemu::end_kept_vm(directory, api_socket, until);
}

} // namespace forkfleet::firecracker
