// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "actors/schema/nearest.hpp"
#include "actors/schema/units.hpp"
#include "config/check.hpp"

namespace forkfleet::config {

namespace {

using schema::in_quotes;

constexpr uint64_t memory_min = 32ull << 20;
constexpr uint64_t memory_max = 1ull << 40;
constexpr uint64_t page_bytes = 4096;
constexpr uint64_t vcpus_max = 256;
/// What the kernel allows for the path of a Unix socket.
constexpr std::size_t socket_path_max = 107;

/// A file, and the host that it is on.
using host_file = std::pair<std::string, std::string>;

void check_host(checker& run, const sandbox_section& x,
                const std::string& path) {
  std::set<std::string_view> names;
  for (const auto& host : run.fleet.hosts)
    if (!host.name.empty())
      names.insert(host.name.value);
  const std::vector<std::string_view> known{names.begin(), names.end()};
  if (x.host.empty() || known.empty()
      || std::find(known.begin(), known.end(), x.host.value) != known.end())
    return;
  run.report(
    path + ".host",
    fmt::format("{} is not a host of this fleet", in_quotes(x.host.value)),
    schema::suggestion(x.host.value, known));
}

void check_choice(checker& run, const std::string& path,
                  const std::string& value,
                  const std::vector<std::string_view>& known) {
  if (std::find(known.begin(), known.end(), value) == known.end())
    run.report(path, fmt::format("unknown value {}", in_quotes(value)),
               schema::suggestion(value, known));
}

void check_machine(checker& run, const sandbox_section& x,
                   const std::string& path) {
  const auto memory = x.memory.value;
  if (memory < memory_min || memory > memory_max)
    run.report(path + ".memory", fmt::format("must be {} to {}, not {}",
                                             schema::format_bytes(memory_min),
                                             schema::format_bytes(memory_max),
                                             schema::format_bytes(memory)));
  else if (memory % page_bytes != 0)
    run.report(path + ".memory", fmt::format("must be a multiple of {}, not {}",
                                             schema::format_bytes(page_bytes),
                                             schema::format_bytes(memory)));
  run.range(path + ".vcpus", x.vcpus, 1, vcpus_max);
  check_choice(run, path + ".machine", x.machine, {"microvm", "q35", "pc"});
}

/// Reports what has another value than its default, where nothing would read
/// it.
void check_unused(checker& run, const sandbox_section& x,
                  const std::string& path, std::string_view why,
                  std::initializer_list<std::string_view> keys) {
  static const sandbox_section untouched{};
  const std::map<std::string_view, bool> is_set{
    {"kernel", x.kernel != untouched.kernel},
    {"initrd", x.initrd != untouched.initrd},
    {"append", x.append != untouched.append},
    {"machine", x.machine != untouched.machine},
    {"accelerator", x.accel != untouched.accel},
    {"memory", x.memory != untouched.memory},
    {"vcpus", x.vcpus != untouched.vcpus},
    {"disks", x.disks != untouched.disks},
    {"debug_console", x.debug_console != untouched.debug_console},
    {"guest_agent", x.guest_agent != untouched.guest_agent},
    {"qemu_arguments", x.qemu_arguments != untouched.qemu_arguments},
    {"binary", x.binary != untouched.binary},
    {"attach", x.attach != untouched.attach},
    {"limits", x.limits != untouched.limits},
    {"network", x.network != untouched.network},
  };
  for (const auto key : keys)
    if (is_set.at(key))
      run.report(fmt::format("{}.{}", path, key),
                 fmt::format("has no meaning {}", why), "remove it");
}

void check_driver(checker& run, const sandbox_section& x,
                  const std::string& path) {
  const bool is_attached = !x.attach.empty();
  if (x.driver == driver_kind::simulated)
    check_unused(run, x, path, "for a simulated sandbox",
                 {"initrd", "append", "accelerator", "disks", "debug_console",
                  "guest_agent", "qemu_arguments", "binary", "attach", "limits",
                  "network"});
  else if (is_attached)
    check_unused(run, x, path, "for a VM that somebody else started",
                 {"kernel", "initrd", "append", "machine", "accelerator",
                  "memory", "vcpus", "disks", "debug_console", "guest_agent",
                  "qemu_arguments", "binary", "limits", "network"});
  else if (x.kernel.empty() && !run.has_problem(path + ".driver")
           && !run.has_problem(path + ".attach.qmp")
           && !run.has_problem(path + ".attach.api"))
    run.report(path + ".kernel", "is required",
               "unless attach is given or driver is simulated", path + ".name");
  if (x.driver == driver_kind::firecracker)
    check_unused(run, x, path, "for Firecracker",
                 {"machine", "accelerator", "debug_console", "guest_agent",
                  "qemu_arguments", "network"});
  else if (x.driver == driver_kind::qemu)
    check_unused(run, x, path, "for QEMU", {"binary"});
}

/// Each VMM is attached to by its own socket.
void check_attach_keys(checker& run, const sandbox_section& x,
                       const std::string& sandbox) {
  const auto path = sandbox + ".attach";
  if (!run.is_given(path) || run.has_problem(path)
      || run.has_problem(sandbox + ".driver")
      || x.driver == driver_kind::simulated)
    return;
  const bool is_firecracker = x.driver == driver_kind::firecracker;
  const auto refuse = [&](const char* key, const std::string& value,
                          const char* advice) {
    if (!value.empty())
      run.report(path + key,
                 fmt::format("has no meaning for {}",
                             is_firecracker ? "Firecracker" : "QEMU"),
                 advice);
  };
  if (is_firecracker) {
    refuse(".qmp", x.attach.qmp, "give api");
    refuse(".watchdog_qmp", x.attach.watchdog_qmp, "remove it");
  } else {
    refuse(".api", x.attach.api, "give qmp");
  }
  if (x.attach.empty())
    run.report(path + (is_firecracker ? ".api" : ".qmp"), "is required", {},
               path);
}

void check_attach(checker& run, const sandbox_section& x,
                  const std::string& path,
                  std::map<host_file, std::string>& sockets) {
  check_attach_keys(run, x, path);
  const auto check_socket = [&](const std::string& key,
                                const std::string& socket) {
    if (socket.empty())
      return;
    const auto at = path + ".attach." + key;
    if (socket.size() > socket_path_max)
      run.report(
        at,
        fmt::format("{} characters are too many for a socket", socket.size()),
        fmt::format("at most {}", socket_path_max));
    const auto [first, is_new] =
      sockets.emplace(host_file{x.host.value, socket}, at);
    if (!is_new)
      run.report(at, fmt::format("is already that of {}", first->second),
                 key == "api" ? "attach to a VM once"
                              : "QEMU serves one client at a time");
  };
  check_socket("qmp", x.attach.qmp);
  check_socket("watchdog_qmp", x.attach.watchdog_qmp);
  check_socket("api", x.attach.api);
}

/// Two VMs that write to one image destroy it.
void check_disks(checker& run, const sandbox_section& x,
                 const std::string& path,
                 std::map<host_file, std::string>& images) {
  for (std::size_t i = 0; i < x.disks.size(); ++i) {
    const auto& disk = x.disks[i];
    const auto at = fmt::format("{}.disks[{}]", path, i);
    if (x.driver == driver_kind::firecracker)
      check_choice(run, at + ".format", disk.format, {"raw"});
    else
      check_choice(run, at + ".format", disk.format, {"qcow2", "raw"});
    if (disk.path.empty() || disk.readonly)
      continue;
    const auto [first, is_new] =
      images.emplace(host_file{x.host.value, disk.path}, at);
    if (!is_new)
      run.report(at + ".path",
                 fmt::format("is already written to as {}", first->second),
                 "give each its own image, or make it readonly");
  }
}

/// What a snapshot of the sandbox says of it must fit into its manifest.
void check_texts(checker& run, const sandbox_section& x,
                 const std::string& path) {
  constexpr std::size_t append_max = 1800;
  constexpr std::size_t disks_max = 32;
  const auto is_line = [](const std::string& text) {
    return text.find_first_of("\n\r") == std::string::npos;
  };
  if (x.append.size() > append_max || !is_line(x.append))
    run.report(path + ".append",
               fmt::format("is no line of at most {} characters", append_max));
  if (x.disks.size() > disks_max)
    run.report(path + ".disks", fmt::format("has more than {}", disks_max));
}

} // namespace

void check_sandboxes(checker& run) {
  std::map<std::string, std::size_t> names;
  std::map<host_file, std::string> sockets;
  std::map<host_file, std::string> images;
  for (std::size_t i = 0; i < run.fleet.sandboxes.size(); ++i) {
    const auto& x = run.fleet.sandboxes[i];
    const auto path = fmt::format("sandboxes[{}]", i);
    const auto [first, is_new] = names.emplace(x.name.value, i);
    if (!is_new && !x.name.empty())
      run.report(path + ".name",
                 fmt::format("{} is already the name of sandboxes[{}]",
                             in_quotes(x.name.value), first->second));
    check_host(run, x, path);
    check_machine(run, x, path);
    check_attach(run, x, path, sockets);
    check_driver(run, x, path);
    check_disks(run, x, path, images);
    check_texts(run, x, path);
    check_arguments(run, x, path);
  }
}

} // namespace forkfleet::config
