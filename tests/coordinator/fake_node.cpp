// SPDX-License-Identifier: Apache-2.0
#include "tests/coordinator/fake_node.hpp"

#include <utility>

#include <caf/send.hpp>
#include <catch2/catch.hpp>

namespace forkfleet::test {

namespace {

using fake_pointer = fake_node_actor::stateful_pointer<fake_node_state>;

/// Keeps what was asked, and a promise.
template <class Request, class Report>
caf::result<Report> note(fake_pointer self,
                         std::vector<received<Request, Report>>& list,
                         const Request& request) {
  auto promise = self->make_response_promise<Report>();
  list.push_back({request, promise});
  return promise;
}

} // namespace

fake_node_actor::behavior_type
fake_node(fake_node_actor::stateful_pointer<fake_node_state> self,
          const std::shared_ptr<node_script>& script) {
  return {
    [self, script](const branch_request& x) {
      return note(self, script->branches, x);
    },
    [script](const operation_query& x) {
      script->queries.push_back(x);
      const auto found = script->known.find(x.operation);
      return found == script->known.end()
               ? operation_status{.operation = x.operation}
               : found->second;
    },
    [self, script](const restore_request& x) {
      return note(self, script->restores, x);
    },
    [self, script](const stop_request& x) {
      return note(self, script->stops, x);
    },
    [self, script](const remove_request& x) {
      return note(self, script->removes, x);
    },
    [self, script](const cancel_request& x) {
      return note(self, script->cancels, x);
    },
    [self, script](const flatten_request& x) {
      return note(self, script->flattens, x);
    },
    [self, script](const verify_request& x) {
      return note(self, script->verifications, x);
    },
    [self, script](const export_request& x) {
      return note(self, script->exports, x);
    },
    [self, script](const import_request& x) {
      return note(self, script->imports, x);
    },
    [self, script](const annotate_request& x) {
      return note(self, script->annotations, x);
    },
    [self, script](const inspect_request& x) {
      return note(self, script->inspections, x);
    },
    [self, script](const compare_request& x) {
      return note(self, script->comparisons, x);
    },
    [self, script](const exec_request& x) {
      return note(self, script->programs, x);
    },
    [self, script](const file_request& x) {
      return note(self, script->files, x);
    },
    [self, script](const console_request& x) {
      return note(self, script->consoles, x);
    },
    [self, script](const rollback_request& x) {
      return note(self, script->rollbacks, x);
    },
    [self, script](const promote_request& x) {
      return note(self, script->promotions, x);
    },
    [self, script](const fsck_request& x) {
      return note(self, script->checks, x);
    },
    [self, script](const doctor_request& x) {
      return note(self, script->examinations, x);
    },
    [script](caf::tick_atom) {
      if (auto todo = std::exchange(script->todo, {}))
        todo();
    },
  };
}

void coordinator_fixture::start(coordinator_access access) {
  unit = w.spawn(coordinator, settings, std::move(access));
  w.run();
}

void coordinator_fixture::join_all() {
  join("h1", 1,
       {.sandboxes = {{.id = {"s1"}, .state = sandbox_state::running}},
        .snapshots = {{.tag = {"old"}, .operation = {"op-old"}}}});
  join("h2", 1,
       {.sandboxes = {{.id = {"s2"}, .state = sandbox_state::running}}});
}

void coordinator_fixture::join(const std::string& host, uint64_t incarnation,
                               inventory_page holds) {
  scripts[host] = std::make_shared<node_script>();
  nodes[host] = w.spawn(fake_node, scripts[host]);
  REQUIRE(hello({.host = {host}, .incarnation = incarnation}));
  holds.host = {host};
  holds.incarnation = incarnation;
  holds.whole = true;
  holds.last = true;
  const auto told = tell(holds);
  REQUIRE(told);
}

expected<node_welcome> coordinator_fixture::hello(const node_hello& message) {
  auto& handle = nodes[message.host.value];
  if (!handle)
    handle = w.spawn(fake_node, std::make_shared<node_script>());
  const auto got =
    w.ask<node_welcome>(coordinator_actor{unit}, std::chrono::seconds{5},
                        message, node_actor{handle});
  w.run();
  REQUIRE(got->has_value());
  return got->value();
}

expected<done> coordinator_fixture::tell(const inventory_page& page) {
  const auto got = ask<done>(page);
  REQUIRE(got->has_value());
  return got->value();
}

heartbeat_ack coordinator_fixture::beat(const std::string& host,
                                        uint64_t incarnation) {
  const auto got = ask<heartbeat_ack>(
    node_heartbeat{.host = {host}, .incarnation = incarnation});
  REQUIRE((got->has_value() && got->value()));
  return *got->value();
}

answer<branch_report> coordinator_fixture::branch(const std::string& operation,
                                                  const std::string& tag,
                                                  const std::string& sandbox) {
  return ask<branch_report>(branch_request{
    .operation = {operation}, .sandbox = {sandbox}, .tag = {tag}});
}

operation_status coordinator_fixture::status_of(const std::string& operation) {
  const auto got = ask<operation_status>(operation_query{{operation}});
  REQUIRE((got->has_value() && got->value()));
  return *got->value();
}

branch_report coordinator_fixture::report(const branch_request& request,
                                          ec outcome) {
  return {.operation = request.operation,
          .sandbox = request.sandbox,
          .tag = request.tag,
          .outcome = {.code = outcome},
          .memory_bytes = 4096};
}

void coordinator_fixture::finish(const std::string& host, ec outcome) {
  auto& asked = scripts.at(host)->branches;
  REQUIRE(!asked.empty());
  deliver(host, asked.back().promise, report(asked.back().request, outcome));
}

void coordinator_fixture::tick(const std::string& host) {
  caf::anon_send(nodes.at(host), caf::tick_atom_v);
  w.run();
}

coordinator_fixture::~coordinator_fixture() {
  // Promises hold their clients, which hold the coordinator.
  for (auto& [host, script] : scripts)
    *script = {};
  nodes.clear();
  if (unit)
    w.kill(unit);
  unit = local_coordinator_actor{};
  w.run();
}

} // namespace forkfleet::test
