// SPDX-License-Identifier: Apache-2.0
// A node with one slot, which somebody else's branch may hold: for tests of
// the queue.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include <catch2/catch.hpp>

#include "tests/node/node_fixture.hpp"

namespace forkfleet::test {

/// A branch that somebody else takes, and its end.
struct busy_sandbox_script {
  caf::typed_response_promise<branch_outcome> promise = {};
  branch_outcome outcome = {};
};

inline sandbox_actor::behavior_type
busy_sandbox(sandbox_actor::pointer self,
             std::shared_ptr<busy_sandbox_script> script) {
  return {
    [self, script](const branch_order& x) {
      script->outcome.report = {.operation = x.request.operation};
      script->promise = self->make_response_promise<branch_outcome>();
      return script->promise;
    },
    [](const stop_request&) { return done{}; },
    [](const release_request&) { return host_answer{}; },
    [script](const tick&) { script->promise.deliver(script->outcome); },
  };
}

/// Beside s1 there are s2 and a sandbox that is always busy.
struct busy_slot_fixture : node_fixture {
  busy_slot_fixture() {
    settings.branch_slots = 1;
    declare("busy");
    declare("s2");
    start();
    make_busy();
  }

  void make_busy() {
    const auto holder = std::make_shared<busy_sandbox_script>();
    const auto before = std::exchange(state().sandboxes.at({"busy"}).handle,
                                      w.spawn(busy_sandbox, holder));
    w.kill(before);
    w.run();
  }
  void take_slot() {
    ask_later<branch_report>(request("op-0", "busy"));
    w.run();
    REQUIRE(state().slots.taken() == 1);
  }
  void free_slot() {
    caf::anon_send(state().sandboxes.at({"busy"}).handle, tick{});
    w.run();
  }
  template <class T>
  static ec code_of(const answer<T>& x) {
    REQUIRE(x->has_value());
    return x->value() ? ec::none : x->value().error().code;
  }
};

} // namespace forkfleet::test
