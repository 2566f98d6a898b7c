// SPDX-License-Identifier: Apache-2.0
#include "node/keeper/watchdog.hpp"

#include <fmt/format.h>

#include "node/keeper/log.hpp"

namespace forkfleet::keeper {

namespace {

constexpr auto call_patience = std::chrono::seconds{2};

} // namespace

status watchdog::check(deadline_point until) {
  return line_->look(until).map([](const guest_stand&) {});
}

void watchdog::begin() {
  busy_ = has_line_;
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
  const auto found = line_->look(until);
  if (!found)
    return tl::unexpected(found.error());
  if (!found->is_resumable)
    return {};
  log_line("guest.resumed", "it was " + found->name);
  return line_->resume(until);
}

} // namespace forkfleet::keeper
