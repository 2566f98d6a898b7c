// SPDX-License-Identifier: Apache-2.0
#include "coordinator/node_table.hpp"

#include <random>

#include <catch2/catch.hpp>

using namespace forkfleet;
using namespace std::chrono_literals;

namespace {

struct table_fixture {
  node_table::time_point start{};
  node_table table{{{"h1"}, {"h2"}}, {.heartbeat = 1s, .node_timeout = 5s}};

  static node_hello hello(std::string host, uint64_t incarnation = 1) {
    return {.host = {std::move(host)}, .incarnation = incarnation};
  }
  static node_heartbeat beat(uint64_t incarnation, uint64_t branches = 0) {
    return {.host = {"h1"},
            .incarnation = incarnation,
            .load = {.branches = branches}};
  }
  node_info first(node_table::time_point now) const {
    return table.list({}, now).nodes.at(0);
  }
};

} // namespace

TEST_CASE_METHOD(table_fixture, "a host is expected until it joins",
                 "[coordinator][node_table]") {
  CHECK(first(start).state == node_state::expected);
  CHECK(table.join(hello("h1"), start) == join_kind::first);
  CHECK(first(start).state == node_state::joining);
  CHECK(table.is_up({"h1"}));
  CHECK_FALSE(table.is_up({"h2"}));
  table.set_inventoried({"h1"});
  CHECK(first(start).state == node_state::up);
}

TEST_CASE_METHOD(table_fixture,
                 "what an earlier life told is not what a host has",
                 "[coordinator][node_table][safety]") {
  auto first_life = hello("h1");
  first_life.incarnation = 5;
  first_life.life = 11;
  REQUIRE(table.join(first_life, start));
  CHECK_FALSE(table.has_told({"h1"}));
  table.set_inventoried({"h1"});
  CHECK(table.has_told({"h1"}));
  // Only its connection was another.
  REQUIRE(table.join(first_life, start));
  CHECK(table.has_told({"h1"}));
  auto next = first_life;
  next.incarnation = 6;
  next.life = 12;
  REQUIRE(table.join(next, start));
  CHECK_FALSE(table.has_told({"h1"}));
  CHECK(first(start).state == node_state::joining);
  // It is known, whoever told it, that nothing of the fleet is left out.
  CHECK(table.missing() == std::vector<host_name>{{"h2"}});
  table.set_inventoried({"h1"});
  CHECK(table.has_told({"h1"}));
}

TEST_CASE_METHOD(table_fixture, "only hosts of the fleet file may join",
                 "[coordinator][node_table]") {
  const auto refused = table.join(hello("h9"), start);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == ec::not_permitted);
  CHECK(refused.error().message.find("h9") != std::string::npos);
}

TEST_CASE_METHOD(table_fixture, "a refused protocol names both numbers",
                 "[coordinator][node_table]") {
  auto other = hello("h1");
  other.protocol = 77;
  const auto refused = table.join(other, start);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == ec::not_permitted);
  CHECK(refused.error().message.find("77") != std::string::npos);
  CHECK(refused.error().message.find(std::to_string(protocol_number))
        != std::string::npos);
}

TEST_CASE_METHOD(table_fixture, "a stale incarnation never displaces a node",
                 "[coordinator][node_table][safety]") {
  CHECK(table.join(hello("h1", 5), start));
  const auto refused = table.join(hello("h1", 4), start);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == ec::not_permitted);
  CHECK(table.admit({"h1"}, 4, 0).error().code == ec::not_permitted);
  CHECK_FALSE(table.hear(beat(4), start));
  CHECK(table.admit({"h1"}, 5, 0));
}

TEST_CASE_METHOD(table_fixture, "a newer node replaces, the same one rejoins",
                 "[coordinator][node_table]") {
  CHECK(table.join(hello("h1", 5), start) == join_kind::first);
  CHECK(table.join(hello("h1", 5), start) == join_kind::again);
  CHECK(table.join(hello("h1", 6), start) == join_kind::replaced);
  CHECK(table.lose({"h1"}));
  CHECK(table.join(hello("h1", 2), start) == join_kind::first);
}

TEST_CASE_METHOD(table_fixture,
                 "a second living node of a name is refused, whatever it "
                 "counts to",
                 "[coordinator][node_table][safety]") {
  auto first_node = hello("h1", 5);
  first_node.identity = "one";
  first_node.data = "/data/one";
  first_node.life = 11;
  auto other = hello("h1", 9);
  other.identity = "two";
  other.data = "/data/two";
  other.life = 12;
  REQUIRE(table.join(first_node, start));
  const auto refused = table.join(other, start + 1s);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == ec::not_permitted);
  CHECK(refused.error().message.find("/data/two") != std::string::npos);
  CHECK(refused.error().message.find("/data/one") != std::string::npos);
  // A broken connection is no proof of its death: it is heard at start.
  REQUIRE(table.lose({"h1"}));
  CHECK_FALSE(table.join(other, start + 14s));
  CHECK(table.join(first_node, start + 14s));
  CHECK(table.list({}, start).nodes.at(0).identity == "one");
  REQUIRE(table.lose({"h1"}));
  CHECK(table.join(other, start + 29s));
  CHECK_FALSE(table.join(first_node, start + 30s));
  table.leave({"h1"});
  CHECK_FALSE(table.is_up({"h1"}));
  CHECK(table.join(first_node, start + 30s));
}

TEST_CASE_METHOD(table_fixture, "the copy of a data directory has no node",
                 "[coordinator][node_table][safety]") {
  auto real = hello("h1", 5);
  real.life = 11;
  auto copy = real;
  copy.life = 12;
  REQUIRE(table.join(real, start));
  CHECK(table.join(copy, start).error().code == ec::not_permitted);
  CHECK(table.join(real, start) == join_kind::again);
  CHECK(table.admit({"h1"}, 5, 11));
  CHECK(table.admit({"h1"}, 5, 12).error().code == ec::not_permitted);
  CHECK_FALSE(table.hear(
    {.host = {"h1"}, .incarnation = 5, .life = 12, .load = {}}, start));
  real.identity = std::string(65, 'x');
  CHECK(table.join(real, start).error().code == ec::invalid_request);
}

TEST_CASE_METHOD(table_fixture, "silence makes a node late, then down",
                 "[coordinator][node_table]") {
  CHECK(table.join(hello("h1"), start));
  table.set_inventoried({"h1"});
  CHECK(first(start + 2s).state == node_state::up);
  CHECK(first(start + 3s).state == node_state::late);
  CHECK(table.sweep(start + 4999ms).empty());
  CHECK(table.sweep(start + 5s) == std::vector<host_name>{{"h1"}});
  CHECK(table.sweep(start + 6s).empty());
  CHECK(first(start + 6s).state == node_state::down);
  CHECK(first(start + 6s).silence == 6s);
}

TEST_CASE_METHOD(table_fixture, "a node that was down must say hello again",
                 "[coordinator][node_table]") {
  CHECK(table.join(hello("h1"), start));
  CHECK(table.hear(beat(1, 3), start + 4s));
  CHECK(first(start + 5s).load.branches == 3);
  CHECK(table.sweep(start + 9s).size() == 1);
  CHECK_FALSE(table.hear(beat(1), start + 9s));
  CHECK(table.admit({"h1"}, 1, 0).error().code == ec::not_ready);
}

TEST_CASE_METHOD(table_fixture, "the fleet is complete when all have told",
                 "[coordinator][node_table]") {
  table.set_inventoried({"h1"});
  CHECK_FALSE(table.is_complete());
  CHECK(table.missing() == std::vector<host_name>{{"h2"}});
  table.set_inventoried({"h2"});
  CHECK(table.is_complete());
}

TEST_CASE("a thousand hosts come in pages", "[coordinator][node_table]") {
  auto hosts = std::vector<host_name>{};
  for (int i = 0; i < 1000; ++i)
    hosts.push_back({"host-" + std::to_string(i)});
  const auto table = node_table{hosts, {}};
  auto after = host_name{};
  std::size_t count = 0;
  for (auto more = true; more;) {
    const auto page = table.list(after, {});
    REQUIRE(page.nodes.size() <= page_entries_max);
    count += page.nodes.size();
    after = page.nodes.back().host;
    more = page.more;
  }
  CHECK(count == 1000);
}

TEST_CASE("a node is up when its last hello was heard from in time",
          "[coordinator][node_table][property]") {
  for (uint32_t seed = 1; seed <= 200; ++seed) {
    CAPTURE(seed);
    auto dice = std::mt19937{seed};
    auto table = node_table{{{"h1"}}, {}};
    auto now = node_table::time_point{};
    uint64_t incarnation = 0;
    auto heard = now; // the naive model: who is up, and since when silent
    auto is_up = false;
    for (int step = 0; step < 200; ++step) {
      now += milliseconds{dice() % 2500};
      is_up = is_up && now - heard < 5s;
      table.sweep(now);
      if (dice() % 3 == 0) {
        const uint64_t offered = dice() % 20;
        const bool takes = !is_up || offered >= incarnation;
        const auto joined =
          table.join(table_fixture::hello("h1", offered), now);
        REQUIRE(joined.has_value() == takes);
        if (takes) {
          incarnation = offered;
          heard = now;
          is_up = true;
        }
      } else {
        const uint64_t told = dice() % 20;
        const bool takes = is_up && told == incarnation;
        REQUIRE(table.hear(table_fixture::beat(told), now) == takes);
        if (takes)
          heard = now;
      }
      REQUIRE(table.is_up({"h1"}) == is_up);
    }
  }
}
