// SPDX-License-Identifier: Apache-2.0
#include "node/uplink.hpp"

#include <algorithm>

#include <catch2/catch.hpp>

#include "tests/node/node_fixture.hpp"

using namespace forkfleet;
using namespace forkfleet::test;
using namespace std::chrono_literals;

namespace {

struct uplink_fixture : node_fixture {
  bool is_joined() {
    return state().uplink.where == uplink_state::link::joined;
  }
  /// The whole inventories that the coordinator got.
  auto inventories() const {
    return std::ranges::count_if(
      script->pages, [](const auto& page) { return page.whole && page.last; });
  }
  auto heard(const std::string& kind) const {
    return std::ranges::count_if(
      script->events, [&](const auto& event) { return event.kind == kind; });
  }
};

} // namespace

TEST_CASE_METHOD(uplink_fixture, "a node that joins tells all that it holds",
                 "[node][uplink]") {
  start();
  REQUIRE(branch("op-1"));
  restart();
  REQUIRE(is_joined());
  CHECK(script->hellos.back().incarnation == 2);
  const auto page =
    std::ranges::find_if(script->pages, [](const inventory_page& x) {
      return x.incarnation == 2 && x.whole;
    });
  REQUIRE(page != script->pages.end());
  CHECK(page->last);
  CHECK(page->sandboxes.at(0).branches == 1);
  CHECK(page->snapshots.at(0).tag.value == "op-1");
  CHECK(page->operations.at(0).state == operation_state::ended);
}

TEST_CASE_METHOD(uplink_fixture, "a coordinator that is away is dialed again",
                 "[node][uplink]") {
  script->can_be_dialed = false;
  start();
  w.advance(10s);
  // Not all the time: from 200 ms on the wait doubles, up to 2 s.
  CHECK(script->dialed >= 5);
  CHECK(script->dialed <= 20);
  CHECK(branch("op-1"));
  script->can_be_dialed = true;
  w.advance(3s);
  CHECK(is_joined());
}

TEST_CASE_METHOD(uplink_fixture, "a node that is refused asks again",
                 "[node][uplink]") {
  script->refusal = {ec::not_permitted, "not yet"};
  start();
  CHECK_FALSE(is_joined());
  script->refusal = {};
  w.advance(3s);
  CHECK(is_joined());
}

TEST_CASE_METHOD(uplink_fixture, "a silent coordinator is given up",
                 "[node][uplink][safety]") {
  start();
  REQUIRE(is_joined());
  script->hears = false;
  w.advance(10s);
  CHECK(script->dialed > 1);
  script->hears = true;
  w.advance(10s);
  CHECK(is_joined());
  CHECK(inventories() == 2);
}

TEST_CASE_METHOD(uplink_fixture, "a node that is not known joins again",
                 "[node][uplink]") {
  start();
  script->knows_node = false;
  w.advance(1500ms);
  script->knows_node = true;
  w.advance(3s);
  CHECK(is_joined());
  CHECK(script->hellos.size() > 1);
  CHECK(script->hellos.back().epoch_seen == script->epoch);
  CHECK(inventories() == std::ssize(script->hellos));
}

TEST_CASE_METHOD(uplink_fixture, "a coordinator that died is replaced",
                 "[node][uplink][safety]") {
  start();
  renew_coordinator();
  w.advance(3s);
  CHECK(is_joined());
  CHECK(script->hellos.size() == 2);
  CHECK(inventories() == 2);
}

TEST_CASE_METHOD(uplink_fixture, "a coordinator out of date is not joined",
                 "[node][uplink][safety]") {
  script->epoch = 8;
  start();
  REQUIRE(is_joined());
  script->epoch = 7;
  renew_coordinator();
  w.advance(5s);
  CHECK_FALSE(is_joined());
  CHECK(state().uplink.epoch == 8);
  script->epoch = 9;
  w.advance(5s);
  CHECK(is_joined());
}

TEST_CASE_METHOD(uplink_fixture, "what happened meanwhile is told later",
                 "[node][uplink]") {
  start();
  script->can_be_dialed = false;
  renew_coordinator();
  w.run();
  REQUIRE(branch("op-1"));
  CHECK(heard("branch.ended") == 0);
  script->can_be_dialed = true;
  w.advance(5s);
  CHECK(heard("branch.ended") == 1);
  CHECK(script->pages.back().operations.at(0).operation.value == "op-1");
}

TEST_CASE_METHOD(uplink_fixture, "what waits to be told has a limit",
                 "[node][uplink]") {
  script->can_be_dialed = false;
  start();
  for (int i = 0; i < 250'000; ++i)
    uplink::tell(unit_pointer(), fleet_event{.kind = "test.told"});
  CHECK(state().uplink.outbox.size() == 2000);
  CHECK(state().uplink.events_dropped > 0);
}

TEST_CASE_METHOD(uplink_fixture, "signs of life carry the load",
                 "[node][uplink]") {
  start();
  REQUIRE(branch("op-1"));
  w.advance(3s);
  const auto& load = script->beats.back().load;
  CHECK(load.branch_slots == 2);
  CHECK(load.branches == 0);
  CHECK(load.sandboxes == 1);
  CHECK(load.snapshots == 1);
  CHECK(load.disk_free_bytes > 0);
}

TEST_CASE_METHOD(uplink_fixture, "news that is refused is not told for ever",
                 "[node][uplink][safety]") {
  start();
  script->page_refusal = {ec::invalid_request, "it takes too many bytes"};
  uplink::tell(unit_pointer(), sandbox_info{.id = {"bad"}});
  w.advance(2s);
  script->page_refusal = {};
  uplink::tell(unit_pointer(), sandbox_info{.id = {"good"}});
  w.advance(2s);
  CHECK(script->hellos.size() == 1);
  CHECK(script->pages.back().sandboxes.at(0).id.value == "good");
}
