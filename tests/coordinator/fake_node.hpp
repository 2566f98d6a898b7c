// SPDX-License-Identifier: Apache-2.0
// A NODE without a host, for tests of the COORDINATOR: it notes what it is
// asked, and answers when the test says so.
#pragma once

#include <memory>
#include <vector>

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <caf/typed_response_promise.hpp>

#include "coordinator/coordinator.hpp"
#include "tests/support/world.hpp"

namespace forkfleet::test {

/// One request that reached the node, and its promise.
template <class Request, class Report>
struct received {
  Request request = {};
  caf::typed_response_promise<Report> promise = {};
};

/// A node that also does what the test tells it: a promise may be kept only
/// from within its actor.
using fake_node_actor = node_actor::extend<caf::reacts_to<caf::tick_atom>>;

/// What the node was asked, in order, and what it is to do at its next tick.
struct node_script {
  std::function<void()> todo = {};
  std::vector<received<branch_request, branch_report>> branches = {};
  std::vector<received<restore_request, restore_report>> restores = {};
  std::vector<received<stop_request, done>> stops = {};
  std::vector<received<remove_request, done>> removes = {};
  std::vector<received<cancel_request, done>> cancels = {};
  std::vector<received<flatten_request, done>> flattens = {};
  std::vector<received<verify_request, verify_report>> verifications = {};
  std::vector<received<export_request, archive_report>> exports = {};
  std::vector<received<import_request, archive_report>> imports = {};
  std::vector<received<annotate_request, inspect_report>> annotations = {};
  std::vector<received<inspect_request, inspect_report>> inspections = {};
  std::vector<received<compare_request, compare_report>> comparisons = {};
  std::vector<received<exec_request, exec_report>> programs = {};
  std::vector<received<file_request, file_report>> files = {};
  std::vector<received<console_request, console_report>> consoles = {};
  std::vector<received<fsck_request, fsck_report>> checks = {};
  std::vector<received<doctor_request, doctor_report>> examinations = {};
  std::vector<received<rollback_request, restore_report>> rollbacks = {};
  std::vector<received<promote_request, restore_report>> promotions = {};
  std::vector<operation_query> queries = {};
  std::map<operation_id, operation_status> known = {}; // answers queries
};

struct fake_node_state {
  static inline const char* name = "fake-node";
};

fake_node_actor::behavior_type
fake_node(fake_node_actor::stateful_pointer<fake_node_state> self,
          const std::shared_ptr<node_script>& script);

/// A coordinator of the hosts h1 and h2, and verbs for what nodes and
/// clients do.
struct coordinator_fixture {
  world w{7};
  coordinator_settings settings{.hosts = {{"h1"}, {"h2"}},
                                .heartbeat = milliseconds{1000},
                                .node_timeout = milliseconds{5000},
                                .deadline = milliseconds{10000},
                                .epoch = 3};
  local_coordinator_actor unit;
  std::map<std::string, std::shared_ptr<node_script>> scripts;
  std::map<std::string, fake_node_actor> nodes;

  /// Starts the coordinator; `join_all` also lets h1 join with sandbox s1
  /// and snapshot old, and h2 with s2.
  void start(coordinator_access access = {});
  void join_all();

  /// A node says hello and tells its whole inventory.
  void join(const std::string& host, uint64_t incarnation = 1,
            inventory_page holds = {});
  expected<node_welcome> hello(const node_hello& message);
  expected<done> tell(const inventory_page& page);
  heartbeat_ack beat(const std::string& host, uint64_t incarnation = 1);

  /// Asks; the answer comes as the world runs.
  template <class Reply, class Request>
  answer<Reply> ask(const Request& request) {
    auto result =
      w.ask<Reply>(coordinator_actor{unit}, std::chrono::minutes{10}, request);
    w.run();
    return result;
  }
  answer<branch_report> branch(const std::string& operation,
                               const std::string& tag = "t1",
                               const std::string& sandbox = "s1");
  operation_status status_of(const std::string& operation);

  /// The node keeps or breaks a promise.
  template <class Promise, class Answer>
  void deliver(const std::string& host, Promise promise, Answer x) {
    scripts.at(host)->todo = [promise, x]() mutable { promise.deliver(x); };
    tick(host);
  }
  void tick(const std::string& host);

  /// How the host's node ends its latest branch.
  branch_report report(const branch_request& request, ec outcome = ec::none);
  void finish(const std::string& host, ec outcome = ec::none);

  ~coordinator_fixture();
};

/// The same, with both hosts there.
struct joined_fixture : coordinator_fixture {
  joined_fixture() {
    start();
    join_all();
  }
  std::vector<received<branch_request, branch_report>>&
  asked(const std::string& host) {
    return scripts.at(host)->branches;
  }
};

template <class Reply>
bool is_pending(const answer<Reply>& x) {
  return !x->has_value();
}

/// `none` for success.
template <class Reply>
ec code_of(const answer<Reply>& x) {
  if (is_pending(x))
    throw std::logic_error("no answer yet");
  return x->value() ? ec::none : x->value().error().code;
}

} // namespace forkfleet::test
