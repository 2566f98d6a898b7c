// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "tests/node/node_fixture.hpp"

using namespace forkfleet;
using namespace forkfleet::test;

namespace {

constexpr uint64_t mib = 1u << 20;

/// A node whose VMs count as real ones, on a host whose memory the test says.
struct memory_fixture : node_fixture {
  uint64_t available = 60 * mib;
  std::map<sandbox_id, memory_use> used = {};

  memory_fixture() {
    settings.declared.clear();
    settings.limits.memory_reserve = {0};
    adjust = [this](node_services& services) {
      services.drivers["qemu"] = services.drivers.at("simulated");
      services.memory = [this](const memory_targets&) {
        return memory_sample{
          .is_known = true, .available_bytes = available, .vms = used};
      };
    };
    declare_vm("s1");
  }

  void declare_vm(const std::string& id) {
    declare(id);
    settings.declared.back().driver = config::driver_kind::qemu;
  }
  sandbox_state state_of(const std::string& id) { return info(id).state; }
};

} // namespace

TEST_CASE_METHOD(memory_fixture, "a VM that does not fit is not started",
                 "[node][node_memory][safety]") {
  declare_vm("s2");
  start();
  CHECK(state_of("s1") == sandbox_state::running);
  CHECK(state_of("s2") == sandbox_state::gone);
  CHECK(info("s2").note.find("host_full") != std::string::npos);
  CHECK(state().services.memory);
  CHECK(place.records().size() == 1);
}

TEST_CASE_METHOD(memory_fixture, "what a VM has taken makes room for others",
                 "[node][node_memory]") {
  declare_vm("s2");
  start();
  CHECK(state_of("s2") == sandbox_state::gone);
  used[{"s1"}] = {45 * mib, 40 * mib};
  restart();
  CHECK(state_of("s2") == sandbox_state::running);
  w.advance(std::chrono::seconds{2});
  CHECK(state().load.memory_free_bytes == 60 * mib);
  CHECK(state().load.memory_used_bytes == 45 * mib);
  CHECK(state().load.memory_promised_bytes == (9 + 49) * mib);
}

TEST_CASE_METHOD(memory_fixture,
                 "a rollback needs room beside the VM that it replaces",
                 "[node][node_memory][safety]") {
  start();
  REQUIRE(branch("op-1"));
  state().snapshots.at({"op-1"}).driver = "qemu";
  const auto back = rollback_request{.operation = {"op-back"},
                                     .sandbox = {"s1"},
                                     .tag = {"op-1"},
                                     .epoch = script->epoch};
  const auto refused = ask<restore_report>(back);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == ec::host_full);
  CHECK(place.running_vms() == 1);
}

TEST_CASE_METHOD(memory_fixture, "rollbacks under way have their memory",
                 "[node][node_memory][safety]") {
  available = 104 * mib;
  start();
  REQUIRE(branch("op-1"));
  state().snapshots.at({"op-1"}).driver = "qemu";
  auto other = std::make_shared<switch_run>();
  other->operation = {"op-other"};
  other->name = {"s9"};
  other->record.spec.driver = config::driver_kind::qemu;
  other->record.spec.memory = {8 * mib};
  state().switches.running[other->operation] = other;
  const auto back = rollback_request{.operation = {"op-back"},
                                     .sandbox = {"s1"},
                                     .tag = {"op-1"},
                                     .epoch = script->epoch};
  CHECK(ask<restore_report>(back).error().code == ec::host_full);
  state().switches.running.clear();
  const auto done_alone = ask<restore_report>(back);
  CHECK((done_alone || done_alone.error().code != ec::host_full));
}

TEST_CASE_METHOD(memory_fixture, "with memory_overcommit 0 all are started",
                 "[node][node_memory]") {
  settings.limits.memory_overcommit = 0;
  declare_vm("s2");
  start();
  CHECK(state_of("s2") == sandbox_state::running);
}

TEST_CASE_METHOD(node_fixture, "a lineage grows no further than its limits",
                 "[node][node_memory][safety]") {
  settings.limits.children_per_snapshot = 1;
  settings.limits.lineage_depth = 1;
  settings.limits.source_bytes = {1};
  start();
  REQUIRE(branch("op-1"));
  const auto more = branch("op-2");
  REQUIRE_FALSE(more);
  CHECK(more.error().code == ec::limit_reached);
  CHECK(more.error().message.find("source_bytes") != std::string::npos);
  REQUIRE(restore("r-1", "op-1", "kid"));
  const auto second = restore("r-2", "op-1", "kid-2");
  REQUIRE_FALSE(second);
  CHECK(second.error().code == ec::limit_reached);
  // The same operation again is no second child.
  CHECK(restore("r-1", "op-1", "kid"));
  const auto deeper = branch("op-3", "kid");
  REQUIRE_FALSE(deeper);
  CHECK(deeper.error().message.find("lineage_depth") != std::string::npos);
  // Who ends makes room.
  REQUIRE(stop("kid"));
  CHECK(restore("r-3", "op-1", "kid-3"));
}

TEST_CASE_METHOD(memory_fixture, "a child has its source's limits for ever",
                 "[node][node_memory][safety]") {
  settings.declared.back().limits.pids = 200;
  settings.limits.sandbox = {.cpu_percent = 50, .pids = 900};
  available = 600 * mib;
  start();
  REQUIRE(branch("op-1"));
  // Its VMs are simulated, and only real ones have limits.
  const auto as_real = [this] {
    auto& x = state().snapshots.at({"op-1"});
    CHECK(x.limits == sandbox_limits{.cpu_percent = 50, .pids = 200});
    x.driver = "qemu";
  };
  as_real();
  REQUIRE(stop("s1"));
  REQUIRE(restore("r-1", "op-1", "kid"));
  CHECK(info("kid").limits.pids == 200);
  // Also on a host where the fleet's own are others.
  settings.limits.sandbox = {
    .cpu_percent = 70, .pids = 900, .read = {64 * mib}};
  settings.declared.clear();
  restart();
  as_real();
  const auto wanted =
    ask<restore_report>(restore_request{.operation = {"r-2"},
                                        .tag = {"op-1"},
                                        .sandbox = {"kid-2"},
                                        .epoch = script->epoch,
                                        .limits = {.pids = 100}});
  REQUIRE(wanted);
  CHECK(
    wanted->sandbox.limits
    == sandbox_limits{.cpu_percent = 50, .pids = 100, .read_bytes = 64 * mib});
}

TEST_CASE_METHOD(memory_fixture, "an older snapshot takes its source's limits",
                 "[node][node_memory]") {
  settings.declared.back().limits.pids = 200;
  available = 600 * mib;
  start();
  REQUIRE(branch("op-1"));
  state().snapshots.at({"op-1"}).driver = "qemu";
  state().snapshots.at({"op-1"}).limits = {};
  REQUIRE(restore("r-1", "op-1", "kid"));
  CHECK(info("kid").limits.pids == 200);
  // Nobody can start what somebody else's archive limits to nothing.
  state().snapshots.at({"op-1"}).limits = {.pids = 1};
  CHECK(restore("r-2", "op-1", "kid-2").error().code == ec::invalid_request);
}

TEST_CASE_METHOD(node_fixture, "a child's limits are checked",
                 "[node][node_memory]") {
  start();
  REQUIRE(branch("op-1"));
  const auto refused =
    ask<restore_report>(restore_request{.operation = {"r-1"},
                                        .tag = {"op-1"},
                                        .sandbox = {"kid"},
                                        .epoch = script->epoch,
                                        .limits = {.pids = 1}});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == ec::invalid_request);
  CHECK(place.records().size() == 1);
}
