// SPDX-License-Identifier: Apache-2.0
#include "node/keeper/watchdog.hpp"

#include <fmt/format.h>

#include "node/keeper/log.hpp"
#include "node/qemu/guest_status.hpp"

namespace forkfleet::keeper {

namespace {

constexpr auto call_patience = std::chrono::seconds{2};

} // namespace

status watchdog::check(deadline_point until) {
  return query(until).map([](const std::string&) {});
}

expected<std::string> watchdog::query(deadline_point until) {
  if (path_.empty())
    return fail(ec::unsupported, "there is no second QMP socket");
  if (!qmp_) {
    auto made = qemu::qmp_client::connect(path_, until);
    if (!made)
      return tl::unexpected(made.error());
    qmp_ = std::move(*made);
  }
  qmp_->forget_events();
  return qemu::query_guest(*qmp_, until);
}

void watchdog::begin() {
  busy_ = !path_.empty();
  begun_ = clock::now();
}

void watchdog::step_if_busy() {
  if (!busy_)
    return;
  const auto now = clock::now();
  const auto done = look_and_resume(now + call_patience);
  const bool is_over = now - begun_ > rescue_time_max
                       || (!done && done.error().code == ec::vmm_gone);
  if (!done && is_over)
    log_line("guest.lost", to_string(done.error()));
  if (is_over || (done && now - begun_ > watch_time))
    busy_ = false;
}

status watchdog::look_and_resume(deadline_point until) {
  const auto state = query(until);
  if (!state)
    return tl::unexpected(state.error());
  if (!qemu::is_resumable(*state))
    return {};
  log_line("guest.resumed", "it was " + *state);
  auto resumed = qmp_->execute("cont", until);
  if (!resumed)
    return tl::unexpected(resumed.error());
  return {};
}

} // namespace forkfleet::keeper
