// SPDX-License-Identifier: Apache-2.0
#include "node/retention.hpp"

#include <algorithm>
#include <random>
#include <set>

#include <catch2/catch.hpp>

#include "actors/labels.hpp"

using namespace forkfleet;
using namespace std::chrono_literals;

namespace {

using snapshots = std::vector<snapshot_info>;
using tags = std::vector<snapshot_tag>;

snapshot_info snapshot(const std::string& tag, int at,
                       const std::string& base = "",
                       std::vector<std::string> labels = {"k=v"}) {
  return {.tag = {tag},
          .source = {"web"},
          .created_at = at * 1s,
          .base = {base},
          .labels = std::move(labels)};
}

config::retention_section rule(uint64_t keep_last,
                               std::chrono::milliseconds ttl = 0ms) {
  return {.rules = {{.label = "k=v", .keep_last = keep_last, .ttl = ttl}}};
}

tags due_of(const config::retention_section& rules, const snapshots& all,
            const snapshot_users& users = {}, microseconds now = 100s) {
  return removal_order(judge(rules, all, users, {now}), all, 1000);
}

std::string why(const config::retention_section& rules, const snapshots& all,
                const std::string& tag, const snapshot_users& users = {}) {
  return judge(rules, all, users, {100s}).at({tag}).why;
}

} // namespace

TEST_CASE("the newest of each sandbox are kept", "[node][retention]") {
  auto all = snapshots{snapshot("a", 1), snapshot("b", 3), snapshot("c", 2)};
  all.push_back(snapshot("other", 0));
  all.back().source = {"db"};
  CHECK(due_of(rule(1), all) == tags{{"a"}, {"c"}});
  CHECK(due_of(rule(2), all) == tags{{"a"}});
  CHECK(why(rule(2), all, "b") == "rule k=v keeps the last 2 of sandbox web");
}

TEST_CASE("a clock that is set while the node runs makes nothing due",
          "[node][retention][safety]") {
  auto clock = age_clock{};
  const auto rules = rule(0, 60s);
  const auto due_at = [&](microseconds wall, microseconds passed) {
    const auto all = snapshots{snapshot("old", 0), snapshot("late", 9000)};
    return removal_order(judge(rules, all, {}, clock.look(wall, passed)), all,
                         1000);
  };
  CHECK(due_at(50s, 1050s).empty());
  INFO("an hour ahead");
  CHECK(due_at(3651s, 1051s).empty());
  CHECK(judge(rules, {snapshot("old", 0)}, {}, clock.look(3652s, 1052s))
          .at({"old"})
          .why
        == "rule k=v keeps what is younger than 1min; the clock was set ahead "
           "by 1h since");
  CHECK(due_at(3661s, 1061s) == tags{{"old"}});
  INFO("and back: what was sealed meanwhile is of that time");
  CHECK(due_at(64s, 1064s) == tags{{"old"}});
  CHECK(due_at(9059s, 10059s) == tags{{"old"}});
  CHECK(due_at(9061s, 10061s) == tags{{"old"}, {"late"}});
}

TEST_CASE("a clock that was wrong does not change the order",
          "[node][retention][safety]") {
  // a was taken while the clock was far ahead; b and c after it was mended.
  auto all = snapshots{snapshot("a", 9000), snapshot("b", 3), snapshot("c", 2)};
  for (std::size_t i = 0; i < all.size(); ++i)
    all[i].sequence = i + 1;
  CHECK(due_of(rule(1), all) == tags{{"a"}, {"b"}});
  CHECK(due_of(rule(2), all) == tags{{"a"}});
  // None is older than what was there before it.
  CHECK(due_of(rule(0, 50s), all).empty());
  // What has no place came before all that has one.
  all.push_back(snapshot("old", 99999));
  CHECK(due_of(rule(1), all) == tags{{"old"}, {"a"}, {"b"}});
}

TEST_CASE("a clock that was behind makes nothing old",
          "[node][retention][safety]") {
  auto all = snapshots{snapshot("a", 95), snapshot("b", 0)};
  all[0].sequence = 1;
  all[1].sequence = 2;
  CHECK(due_of(rule(0, 20s), all).empty());
}

TEST_CASE("what is young is kept, and either reason is enough",
          "[node][retention]") {
  const snapshots all{snapshot("a", 1), snapshot("b", 50), snapshot("c", 90)};
  CHECK(due_of(rule(0, 20s), all) == tags{{"a"}, {"b"}});
  CHECK(due_of(rule(2, 1s), all) == tags{{"a"}});
  CHECK(why(rule(0, 20s), all, "c")
        == "rule k=v keeps what is younger than 20s");
  CHECK(why(rule(0, 20s), all, "a") == "due by rule k=v");
}

TEST_CASE("what no rule speaks of, and what is pinned, is kept",
          "[node][retention][safety]") {
  const snapshots all{snapshot("plain", 1, "", {}),
                      snapshot("else", 1, "", {"k=w"}),
                      snapshot("pin", 1, "", {"k=v", "pinned=yes"})};
  CHECK(due_of(rule(0, 1s), all).empty());
  CHECK(why(rule(0, 1s), all, "pin") == "pinned by label pinned=yes");
  CHECK(why(rule(0, 1s), all, "plain") == "no rule speaks of its labels");
}

TEST_CASE("what is needed is kept with all that lies below it",
          "[node][retention][safety]") {
  const snapshots all{snapshot("root", 1), snapshot("mid", 2, "root"),
                      snapshot("top", 3, "mid"), snapshot("side", 4, "root")};
  CHECK(due_of(rule(0, 1s), all) == tags{{"top"}, {"mid"}, {"side"}, {"root"}});
  const snapshot_users child{{{"mid"}, "child runs on it"}};
  CHECK(due_of(rule(0, 1s), all, child) == tags{{"top"}, {"side"}});
  CHECK(why(rule(0, 1s), all, "mid", child) == "needed: child runs on it");
  CHECK(why(rule(0, 1s), all, "root", child)
        == "needed: mid is a diff over it");
}

TEST_CASE("a sweep is bounded, and takes diffs before their bases",
          "[node][retention]") {
  const snapshots all{snapshot("root", 1), snapshot("mid", 2, "root"),
                      snapshot("top", 3, "mid")};
  const auto verdicts = judge(rule(0, 1s), all, {}, {100s});
  CHECK(removal_order(verdicts, all, 2) == tags{{"top"}, {"mid"}});
  CHECK(removal_order(verdicts, all, 0).empty());
}

TEST_CASE("whatever there is, nothing that is needed goes",
          "[node][retention][property][safety]") {
  std::mt19937 dice{11};
  for (int round = 0; round < 500; ++round) {
    snapshots all;
    snapshot_users users;
    const auto count = 1 + dice() % 20;
    for (std::size_t i = 0; i < count; ++i) {
      std::vector<std::string> labels;
      if (dice() % 3 != 0)
        labels.emplace_back("k=v");
      if (dice() % 8 == 0)
        labels.emplace_back("pinned=yes");
      const auto base =
        i > 0 && dice() % 2 == 0 ? all[dice() % i].tag.value : std::string{};
      all.push_back(
        snapshot("t" + std::to_string(dice() % 1000) + "-" + std::to_string(i),
                 static_cast<int>(i), base, labels));
      if (dice() % 6 == 0)
        users[all.back().tag] = "child runs on it";
    }
    const auto rules = rule(dice() % 4, 1000ms * (dice() % 20));
    const auto verdicts =
      judge(rules, all, users, {1s * static_cast<int>(dice() % 40)});
    std::set<snapshot_tag> left;
    for (const auto& x : all)
      left.insert(x.tag);
    const auto order = removal_order(verdicts, all, 1000);
    for (const auto& tag : order) {
      CAPTURE(round, tag.value);
      const auto x = *std::ranges::find(all, tag, &snapshot_info::tag);
      REQUIRE(has_labels(x.labels, {"k=v"}));
      REQUIRE_FALSE(has_labels(x.labels, {"pinned"}));
      REQUIRE_FALSE(users.contains(tag));
      for (const auto& other : all)
        REQUIRE_FALSE((other.base == tag && left.contains(other.tag)));
      left.erase(tag);
    }
    const auto due = std::ranges::count_if(
      verdicts, [](const auto& x) { return x.second.is_due; });
    REQUIRE(order.size() == static_cast<std::size_t>(due));
  }
}
