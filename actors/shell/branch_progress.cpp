// SPDX-License-Identifier: Apache-2.0
#include "actors/shell/branch_progress.hpp"

#include <mutex>
#include <thread>

namespace forkfleet::shell {
namespace {

constexpr milliseconds event_wait{300};
/// Between questions, so that a fleet that does not wait is not hammered.
constexpr milliseconds breath{30};
constexpr milliseconds answer_limit{2000};

} // namespace

std::string stage_after(const fleet_event& x) {
  if (x.kind == "branch.started")
    return to_string(stage::admit);
  if (x.kind != "stage.ended")
    return "";
  bool is_next = false;
  for (const auto& entry : enum_table(stage{})) {
    if (is_next)
      return std::string{entry.name};
    is_next = entry.name == x.stage;
  }
  return is_next ? "report" : "";
}

class branch_progress::follower {
public:
  follower(client_settings settings, sandbox_id sandbox)
    : settings_{std::move(settings)}, sandbox_{std::move(sandbox)},
      thread_{[this](const std::stop_token& stop) { follow(stop); }} {}

  std::string stage_now() const {
    const std::lock_guard guard{mutex_};
    return stage_;
  }

private:
  void follow(const std::stop_token& stop) {
    client fleet{settings_};
    events_request next{.from_now = true};
    while (!stop.stop_requested()) {
      auto answer = fleet.ask<event_list>(next, answer_limit);
      if (!answer)
        return;
      next = {.after = answer->latest, .wait = event_wait};
      for (const auto& x : answer->events)
        if (x.sandbox == sandbox_)
          note(stage_after(x));
      std::this_thread::sleep_for(breath);
    }
  }

  void note(std::string name) {
    const std::lock_guard guard{mutex_};
    if (!name.empty())
      stage_ = std::move(name);
  }

  const client_settings settings_;
  const sandbox_id sandbox_;
  mutable std::mutex mutex_; // guards stage_
  std::string stage_;
  std::jthread thread_; // last: ends first
};

branch_progress::branch_progress(client_settings settings, sandbox_id sandbox)
  : follower_{
    std::make_unique<follower>(std::move(settings), std::move(sandbox))} {}

branch_progress::~branch_progress() = default;

std::string branch_progress::stage_now() const {
  return follower_->stage_now();
}

} // namespace forkfleet::shell
