// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "actors/schema/units.hpp"
#include "config/check.hpp"
#include "config/uid_range.hpp"

namespace forkfleet::config {

namespace {

constexpr uint64_t reserve_max = 1ull << 40;
constexpr uint64_t overcommit_most = 10'000;
constexpr uint64_t console_least = 64ull << 10;
constexpr uint64_t console_most = 1ull << 30;

/// Beside the guest's memory: for QEMU itself.
constexpr uint64_t room_for_vmm = 64ull << 20;

void check_rate(checker& run, const std::string& path, const byte_size& x) {
  if (x.value != 0 && x.value < limited_rate_min)
    run.report(path, fmt::format("must be 0B or at least {}, not {}",
                                 schema::format_bytes(limited_rate_min),
                                 schema::format_bytes(x.value)));
}

void check_one(checker& run, const vm_limits_section& x,
               const std::string& path) {
  if (x.cpu_percent != 0)
    run.range(path + ".cpu_percent", x.cpu_percent, limited_cpu_min,
              limited_cpu_max);
  if (x.pids != 0)
    run.range(path + ".pids", x.pids, limited_pids_min, limited_pids_max);
  check_rate(run, path + ".read", x.read);
  check_rate(run, path + ".write", x.write);
}

/// A VM that cannot fill its memory is killed some day.
void check_room(checker& run, const sandbox_section& x,
                const std::string& path) {
  const auto& fleet = run.fleet.limits.sandbox.memory;
  const bool has_own = x.limits.memory.value != 0;
  const auto limit = has_own ? x.limits.memory.value : fleet.value;
  if (limit == 0 || !x.attach.empty() || x.driver == driver_kind::simulated
      || limit >= x.memory.value + room_for_vmm)
    return;
  run.report(has_own ? path + ".limits.memory" : "limits.sandbox.memory",
             fmt::format("{} is less than the memory of {}, {}, and {} for "
                         "its VMM",
                         schema::format_bytes(limit), x.name.value,
                         schema::format_bytes(x.memory.value),
                         schema::format_bytes(room_for_vmm)),
             "the kernel would kill the VM");
}

/// Two hosts of one machine keep apart by themselves: a user that a process
/// has is given to no VM.
void check_users(checker& run, std::size_t i) {
  if (const auto range = parse_uid_range(run.fleet.hosts[i].vm_uids); !range)
    run.report(fmt::format("hosts[{}].vm_uids", i), range.error().message,
               "such as 4000000000-4000999999");
}

} // namespace

void check_limits(checker& run) {
  const auto& x = run.fleet.limits;
  check_one(run, x.sandbox, "limits.sandbox");
  if (x.memory_reserve.value > reserve_max)
    run.report("limits.memory_reserve",
               fmt::format("must be at most {}, not {}",
                           schema::format_bytes(reserve_max),
                           schema::format_bytes(x.memory_reserve.value)));
  run.range("limits.memory_overcommit", x.memory_overcommit, 0,
            overcommit_most);
  run.range("limits.child_growth", x.child_growth, 1, 100);
  if (x.console.value < console_least || x.console.value > console_most)
    run.report("limits.console",
               fmt::format("must be {} to {}, not {}",
                           schema::format_bytes(console_least),
                           schema::format_bytes(console_most),
                           schema::format_bytes(x.console.value)));
  for (std::size_t i = 0; i < run.fleet.hosts.size(); ++i)
    check_users(run, i);
  for (std::size_t i = 0; i < run.fleet.sandboxes.size(); ++i) {
    const auto path = fmt::format("sandboxes[{}]", i);
    check_one(run, run.fleet.sandboxes[i].limits, path + ".limits");
    check_room(run, run.fleet.sandboxes[i], path);
  }
}

} // namespace forkfleet::config
