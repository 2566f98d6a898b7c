// SPDX-License-Identifier: Apache-2.0
// What a node does about chains: it keeps them short, and readable.
#include <catch2/catch.hpp>

#include "tests/node/node_fixture.hpp"
#include "tests/support/played_branching.hpp"

using namespace forkfleet;
using namespace forkfleet::test;
using namespace std::chrono_literals;

namespace {

struct chain_fixture : node_fixture {
  played_branching played = {};

  chain_fixture() {
    settings.branch.chain_depth = 2;
    adjust = [this](node_services& services) {
      services.drivers = {
        {"simulated", std::make_shared<played_driver>(played.script)}};
      services.store = open_store(played.disk, played.access);
      services.journal = open_journal(played.disk, played.access);
      services.ended.clear();
    };
    played.script.vm.full_is_tracked = false;
  }
  void branch_times(int count) {
    for (int i = 1; i <= count; ++i) {
      const auto report = branch("op-" + std::to_string(i));
      REQUIRE(report);
      REQUIRE_FALSE(report->outcome);
    }
  }
  std::size_t told(const std::string& kind) const {
    return static_cast<std::size_t>(
      std::ranges::count(script->events, kind, &fleet_event::kind));
  }
  memory_form form(const std::string& tag) const {
    return played.sealed(tag).files.form;
  }
};

} // namespace

TEST_CASE_METHOD(chain_fixture, "a chain that became too deep is flattened",
                 "[node][node_flattening]") {
  start();
  branch_times(4);
  CHECK(form("op-2") == memory_form::diff);
  CHECK(form("op-3") == memory_form::flat);
  CHECK(form("op-4") == memory_form::diff);
  CHECK(told("snapshot.flattened") == 1);
  CHECK(state().snapshots.at({"op-3"}).depth == 0);
  CHECK(state().snapshots.at({"op-4"}).depth == 1);
  CHECK(state().flattening.tag.empty());
}

TEST_CASE_METHOD(chain_fixture,
                 "flattening that fails is tried again, not "
                 "for ever",
                 "[node][node_flattening]") {
  auto tries = std::make_shared<int>(0);
  played.access.trouble = [tries](std::string_view where) {
    return where == "flatten" && ++*tries ? disk_trouble::fail
                                          : disk_trouble::none;
  };
  start();
  branch_times(3);
  CHECK(*tries == 1);
  w.advance(1min);
  CHECK(*tries == 3);
  CHECK(told("flatten.failed") == 3);
  CHECK(branch("op-4"));
  w.advance(1min);
  CHECK(form("op-4") == memory_form::diff);
}

TEST_CASE_METHOD(chain_fixture, "a node that starts flattens what is too deep",
                 "[node][node_flattening]") {
  settings.branch.chain_depth = 100;
  start();
  branch_times(5);
  settings.branch.chain_depth = 2;
  restart();
  CHECK(form("op-3") == memory_form::flat);
  CHECK(form("op-5") == memory_form::flat);
  CHECK(form("op-4") == memory_form::diff);
}

TEST_CASE_METHOD(chain_fixture,
                 "a child gets no more segments than its driver "
                 "maps",
                 "[node][node_flattening][safety]") {
  start();
  branch_times(2);
  REQUIRE(restore("op-8", "op-2", "mapped"));
  CHECK(played.script.starts.back().snapshot->memory.segments.size() == 2);
  CHECK(form("op-2") == memory_form::diff);
  played.script.segments_max = 1;
  REQUIRE(restore("op-9", "op-2", "flat"));
  CHECK(played.script.starts.back().snapshot->memory.is_flat());
  CHECK(form("op-2") == memory_form::flat);
}

TEST_CASE_METHOD(chain_fixture, "a base is not removed, and it is said why",
                 "[node][node_flattening][safety]") {
  start();
  branch_times(2);
  const auto removal = remove_request{{"op-1"}, script->epoch};
  const auto refused = ask<done>(removal);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == ec::invalid_request);
  CHECK(refused.error().message
        == "op-1 is the base of op-2; flatten that first");
  CHECK(played.disk->sealed.contains({"op-1"}));
}
