// SPDX-License-Identifier: Apache-2.0
#include "actors/link/exchange.hpp"

#include <catch2/catch.hpp>

using namespace forkfleet;
using namespace std::chrono_literals;

namespace {

const question& some_question() {
  return *find_question("+forkfleet::nodes_request");
}

const question& event_question() {
  return *find_question("+forkfleet::events_request");
}

} // namespace

TEST_CASE("of too many questions the oldest is forgotten",
          "[actors][open_questions][safety]") {
  auto table = open_questions{3, 1h};
  const auto now = open_questions::time_point{};
  for (auto data = uint64_t{1}; data <= 4; ++data)
    CHECK(table.add(9, data, some_question(), now));
  CHECK(table.size() == 3);
  CHECK(table.find(9, 1) == nullptr);
  CHECK(table.find(9, 4) != nullptr);
  CHECK_FALSE(table.add(9, 4, some_question(), now));
}

TEST_CASE("no question stands for ever", "[actors][open_questions][safety]") {
  auto table = open_questions{100, 1h};
  const auto now = open_questions::time_point{};
  table.add(9, 1, some_question(), now);
  table.add(9, 2, event_question(), now + 30min);
  CHECK(table.expire(now + 59min) == 0);
  CHECK(table.expire(now + 60min) == 1);
  CHECK(table.waiting_for_events() == 1);
  CHECK(table.expire(now + 2h) == 1);
  CHECK(table.size() == 0);
  CHECK(table.waiting_for_events() == 0);
}

TEST_CASE("a question's category is no part of its name",
          "[actors][open_questions]") {
  auto table = open_questions{100, 1h};
  table.add(9, 0x1000000000000005, some_question(), {});
  CHECK(table.find(9, 0x8000000000000005) != nullptr);
  const auto taken = table.take(9, 5);
  REQUIRE(taken);
  CHECK(taken->data == 0x1000000000000005);
  CHECK_FALSE(table.take(9, 5));
}

TEST_CASE("one identity has one credit on all its connections",
          "[actors][exchange][safety]") {
  auto quota = std::make_shared<identity_quota>();
  quota->questions_max = 3;
  quota->waits_max = 1;
  auto first = exchange{peer_role::client, {}};
  first.enter(quota, false);
  using enum exchange::admission;
  CHECK(first.take_question(1, 1, event_question()) == taken);
  {
    auto second = exchange{peer_role::client, {}};
    second.enter(quota, false);
    CHECK(second.take_question(1, 1, event_question()) == too_many_waits);
    CHECK(second.take_question(1, 1, some_question()) == taken);
    CHECK(second.take_question(1, 2, some_question()) == taken);
    CHECK(second.take_question(1, 3, some_question()) == too_many);
    CHECK(first.take_question(1, 3, some_question()) == too_many);
  }
  CHECK(quota->questions == 1);
  CHECK(first.take_question(1, 3, some_question()) == taken);
  CHECK(first.note_answered(1, 1) == 1);
  CHECK(quota->questions == 2);
  CHECK(quota->waits == 0);
  first.note_read(1);
  CHECK(quota->questions == 1);
}

TEST_CASE("one connection waits for events a few times only",
          "[actors][exchange][safety]") {
  auto with = exchange{peer_role::client, {}, {.followers_max = 2}};
  using enum exchange::admission;
  CHECK(with.take_question(1, 1, event_question()) == taken);
  CHECK(with.take_question(1, 2, event_question()) == taken);
  CHECK(with.take_question(1, 3, event_question()) == too_many_waits);
  CHECK(with.take_question(1, 4, some_question()) == taken);
}

TEST_CASE("every question that a node puts names its host",
          "[actors][content_check][safety]") {
  auto told = 0;
  for (const auto& x : all_questions())
    told += x.kind == question_kind::of_node ? 1 : 0;
  CHECK(told == 5);
}
