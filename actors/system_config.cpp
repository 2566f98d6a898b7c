// SPDX-License-Identifier: Apache-2.0
#include "actors/system_config.hpp"

#include <condition_variable>
#include <csignal>
#include <mutex>
#include <pthread.h>
#include <thread>
#include <unistd.h>

#include <caf/actor_system.hpp>
#include <caf/atom.hpp>
#include <caf/io/middleman.hpp>
#include <caf/node_id.hpp>
#include <caf/timespan.hpp>

#include "actors/interfaces.hpp"
#include "actors/link/messages.hpp"
#include "actors/log.hpp"

namespace forkfleet {

namespace {

constexpr caf::timespan heartbeat = std::chrono::seconds{1};
constexpr caf::timespan silence_max = std::chrono::seconds{5};

std::string render_failure(uint8_t code, caf::atom_value,
                           const caf::message& about) {
  auto x = failure{static_cast<ec>(code), {}};
  if (about.match_elements<std::string>())
    x.message = about.get_as<std::string>(0);
  return to_string(x);
}

sigset_t ending_signals() {
  auto set = sigset_t{};
  sigemptyset(&set);
  for (const auto number : {SIGTERM, SIGINT, SIGHUP})
    sigaddset(&set, number);
  return set;
}

} // namespace

system_config::system_config(const system_settings& settings) {
  add_message_types<caf::id_block::forkfleet>();
  add_message_types<caf::id_block::forkfleet_local>();
  add_message_types<caf::id_block::forkfleet_link>();
  add_error_category(error_category, render_failure);
  set("scheduler.policy",
      settings.simulated ? caf::atom("testing") : caf::atom("sharing"));
  set("scheduler.max-threads", settings.threads);
  if (!settings.network)
    return;
  load<caf::io::middleman>();
  set("middleman.heartbeat-interval", heartbeat);
  set("middleman.connection-timeout", silence_max);
  set("middleman.enable-automatic-connections", false);
}

status check_node_identity(const caf::actor_system& sys) {
  const auto text = caf::to_string(sys.node());
  if (text.ends_with('#' + std::to_string(getpid())))
    return fail(ec::unsupported,
                "this program was built without its own node identity and "
                "could receive another one's messages; link "
                "forkfleet_identity");
  return {};
}

signal_gate::signal_gate() {
  const auto set = ending_signals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
}

int signal_gate::wait() {
  const auto set = ending_signals();
  auto number = 0;
  while (sigwait(&set, &number) != 0)
    continue;
  return number;
}

std::optional<int> signal_gate::wait_for(std::chrono::milliseconds limit) {
  const auto set = ending_signals();
  const auto whole = std::chrono::duration_cast<std::chrono::seconds>(limit);
  const auto rest = std::chrono::nanoseconds{limit - whole};
  const auto time = timespec{whole.count(), rest.count()};
  const auto number = sigtimedwait(&set, nullptr, &time);
  return number > 0 ? std::optional{number} : std::nullopt;
}

struct end_watchdog::state {
  std::mutex mutex;
  std::condition_variable ended;
  bool is_over = false;
  std::thread thread;
};

end_watchdog::end_watchdog() : state_(std::make_unique<state>()) {
  // nop
}

end_watchdog::~end_watchdog() {
  {
    const auto lock = std::lock_guard{state_->mutex};
    state_->is_over = true;
  }
  state_->ended.notify_all();
  if (state_->thread.joinable())
    state_->thread.join();
}

void end_watchdog::arm(std::chrono::milliseconds limit) {
  if (state_->thread.joinable())
    return;
  state_->thread = std::thread{[x = state_.get(), limit] {
    auto lock = std::unique_lock{x->mutex};
    if (x->ended.wait_for(lock, limit, [x] { return x->is_over; }))
      return;
    log::error("end.forced", {{"waited_ms", limit}});
    _exit(3);
  }};
}

} // namespace forkfleet
