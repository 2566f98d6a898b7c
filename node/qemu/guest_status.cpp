// SPDX-License-Identifier: Apache-2.0
#include "node/qemu/guest_status.hpp"

#include <algorithm>
#include <array>

namespace forkfleet::qemu {

namespace {

// QEMU's RunState, without those that need a person: internal-error,
// io-error, guest-panicked, watchdog, shutdown.
constexpr auto standing = std::to_array<std::string_view>(
  {"paused", "prelaunch", "postmigrate", "finish-migrate", "save-vm"});
constexpr auto running =
  std::to_array<std::string_view>({"running", "suspended"});

bool is_in(const auto& list, std::string_view word) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

} // namespace

expected<std::string> query_guest(qmp_client& qmp, deadline_point until) {
  const bool was_connected = qmp.is_connected();
  if (auto ready = qmp.ensure_connected(until); !ready)
    return tl::unexpected(ready.error());
  auto asked = qmp.execute("query-status", until);
  // A connection that broke while nobody used it is noticed only here.
  if (!asked && was_connected && !qmp.is_connected()
      && asked.error().code == ec::vmm_unreachable) {
    if (auto again = qmp.ensure_connected(until); !again)
      return tl::unexpected(again.error());
    asked = qmp.execute("query-status", until);
  }
  if (!asked)
    return tl::unexpected(asked.error());
  return text_member(*asked, "status");
}

vmm_health health_of(std::string_view status) {
  if (is_in(running, status))
    return vmm_health::running;
  return is_resumable(status) || status == "inmigrate" ? vmm_health::paused
                                                       : vmm_health::stuck;
}

bool is_resumable(std::string_view status) {
  return is_in(standing, status);
}

} // namespace forkfleet::qemu
