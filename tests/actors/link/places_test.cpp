// SPDX-License-Identifier: Apache-2.0
#include "actors/link/places.hpp"

#include <vector>

#include <catch2/catch.hpp>

#include "actors/link/waiting_room.hpp"

using namespace forkfleet;

namespace {

struct places_fixture {
  link_limits limits{.connections_max = 4,
                     .nodes_max = 2,
                     .nodes_reserved = 2,
                     .tool_connections_max = 3,
                     .node_connections_max = 1,
                     .local_connections_max = 3};
  places rooms{limits};
  std::vector<place> taken;

  ec enter(peer_role role, const std::string& identity) {
    auto found = rooms.enter(role, identity);
    if (!found)
      return found.error().code;
    taken.push_back(std::move(*found));
    return ec::none;
  }
};

} // namespace

TEST_CASE_METHOD(places_fixture, "one certificate does not take all places",
                 "[actors][places][safety]") {
  for (auto i = 0; i < 3; ++i)
    CHECK(enter(peer_role::client, "client:ann") == ec::none);
  CHECK(enter(peer_role::client, "client:ann") == ec::node_busy);
  CHECK(enter(peer_role::client, "client:bob") == ec::none);
  CHECK(enter(peer_role::client, "client:eve") == ec::node_busy);
  taken.pop_back();
  CHECK(enter(peer_role::client, "client:eve") == ec::none);
}

TEST_CASE_METHOD(places_fixture, "tools take no place of a node",
                 "[actors][places][safety]") {
  enter(peer_role::client, "client:ann");
  enter(peer_role::client, "client:ann");
  enter(peer_role::client, "client:bob");
  enter(peer_role::client, "client:bob");
  CHECK(enter(peer_role::client, "client:eve") == ec::node_busy);
  CHECK(enter(peer_role::node, "node:h1") == ec::none);
  CHECK(enter(peer_role::node, "node:h1") == ec::node_busy);
  CHECK(enter(peer_role::node, "node:h2") == ec::none);
  CHECK(rooms.nodes() == 2);
}

TEST_CASE_METHOD(places_fixture,
                 "where tools of this machine take all, a node gets in",
                 "[actors][places][safety]") {
  for (auto i = 0; i < 3; ++i)
    CHECK(enter(peer_role::local, "loopback") == ec::none);
  CHECK(enter(peer_role::local, "loopback") == ec::none);
  CHECK(taken.back().what() == place::kind::unproven);
  taken.back().prove_node();
  CHECK(taken.back().what() == place::kind::node);
  CHECK(rooms.nodes() == 1);
  CHECK(enter(peer_role::local, "loopback") == ec::none);
  CHECK(enter(peer_role::local, "loopback") == ec::none);
  CHECK(enter(peer_role::local, "loopback") == ec::node_busy);
}

TEST_CASE_METHOD(places_fixture, "places are given back", "[actors][places]") {
  for (auto i = 0; i < 20; ++i) {
    REQUIRE(enter(peer_role::client, "client:ann") == ec::none);
    taken.clear();
  }
  CHECK(rooms.tools() == 0);
}

TEST_CASE("the idle make room, those of the busiest address first",
          "[actors][waiting_room][safety]") {
  auto room = waiting_room{4, 3};
  CHECK_FALSE(room.enter(1, "10.0.0.1"));
  CHECK_FALSE(room.enter(2, "10.0.0.1"));
  CHECK_FALSE(room.enter(3, "10.0.0.1"));
  CHECK(room.enter(4, "10.0.0.1") == 1U);
  CHECK_FALSE(room.enter(5, "10.0.0.2"));
  CHECK(room.enter(6, "10.0.0.3") == 2U);
  CHECK(room.size() == 4);
  room.leave(5);
  room.leave(5);
  CHECK(room.size() == 3);
  CHECK_FALSE(room.enter(7, "10.0.0.3"));
}
