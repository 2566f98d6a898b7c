// SPDX-License-Identifier: Apache-2.0
// A world without threads: actors run one message at a time, in an order
// that dice from a seed choose, and time moves by hand.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <utility>
#include <vector>

#include <caf/actor_cast.hpp>
#include <caf/actor_system.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/scheduler/test_coordinator.hpp>

#include "actors/interfaces.hpp"
#include "actors/system_config.hpp"

namespace forkfleet::test {

/// What a request came to; empty until it is answered.
template <class Reply>
using answer = std::shared_ptr<std::optional<expected<Reply>>>;

/// An actor system under a seed.
class world {
public:
  using time_point = std::chrono::steady_clock::time_point;

  /// `extend` adds what the system must know beside our messages.
  explicit world(uint64_t seed = 1,
                 const std::function<void(system_config&)>& extend = {});
  /// Ends all actors that it was told of: a lost reply leaves them holding
  /// each other, and the system would wait for ever.
  ~world();
  world(const world&) = delete;
  world& operator=(const world&) = delete;

  caf::actor_system& system() { return *system_; }
  time_point now() const;

  /// A number from 0 up to, not with, `below`; by the seed.
  uint64_t dice(uint64_t below);

  /// Runs one message of a random actor; false when there is none.
  bool run_one();
  /// Runs until no message is left.
  void run();
  /// Runs all, then moves time to the next timeout and fires it. False when
  /// there is none until `limit`; time stands there then.
  bool next_timeout(time_point limit);
  /// Moves time, firing all that is due on the way and running all of it.
  void advance(caf::timespan time);

  /// Lets time pass within a handler: what falls due is late.
  void pass(caf::timespan time);

  /// Spawns an actor that ends with the world at the latest.
  template <class F, class... Ts>
  auto spawn(F function, Ts&&... arguments) {
    auto result = system_->spawn(function, std::forward<Ts>(arguments)...);
    keep(caf::actor_cast<caf::strong_actor_ptr>(result));
    return result;
  }
  /// Ends it with the world at the latest.
  void keep(const caf::strong_actor_ptr& actor);
  /// Ends the actor before it handles another message.
  template <class Handle>
  void kill(const Handle& actor) {
    end(caf::actor_cast<caf::strong_actor_ptr>(actor));
  }

  /// Sends a request as a client of its own; the answer comes as the world
  /// runs.
  template <class Reply, class Handle, class... Ts>
  answer<Reply> ask(const Handle& target, caf::timespan timeout,
                    const Ts&... request) {
    auto result = std::make_shared<std::optional<expected<Reply>>>();
    spawn([result, target, timeout, request...](caf::event_based_actor* self) {
      self->request(target, timeout, request...)
        .then([result](const Reply& reply) { result->emplace(reply); },
              [result](const caf::error& error) {
                result->emplace(tl::unexpected{from_caf_error(error)});
              });
    });
    return result;
  }

private:
  void end(const caf::strong_actor_ptr& actor);
  caf::scheduler::test_coordinator& scheduler();

  std::mt19937_64 dice_;
  system_config config_;
  std::unique_ptr<caf::actor_system> system_;
  std::vector<caf::weak_actor_ptr> actors_;
};

} // namespace forkfleet::test
