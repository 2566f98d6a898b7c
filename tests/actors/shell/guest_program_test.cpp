// SPDX-License-Identifier: Apache-2.0
#include "actors/shell/guest_program.hpp"

#include <vector>

#include <catch2/catch.hpp>

#include "actors/base64.hpp"

using namespace forkfleet;
using namespace forkfleet::shell;
using namespace std::chrono_literals;

namespace {

/// A guest whose program prints `text` in pieces, and whose answers get lost.
struct played_guest {
  std::string text = {};
  std::size_t piece = 3;
  uint64_t status = 0;
  bool ends = true;
  bool leaves_daemon = false; // that has its outputs still
  int lost_each = 0;          // each such answer
  failure broken = {};
  std::vector<exec_action> asked = {};
  std::string output = {};
  std::string errors = {};
  bool is_stopped = false;
  bool is_writable = true;
  bool was_killed = false;
  milliseconds passed{0};

  expected<exec_report> answer(const exec_request& x) {
    asked.push_back(x.action);
    passed += 1ms;
    if (x.action == exec_action::kill)
      was_killed = true;
    if (broken)
      return tl::unexpected{broken};
    if (lost_each > 0
        && asked.size() % static_cast<std::size_t>(lost_each) == 0)
      return fail(ec::deadline_exceeded, "no answer");
    if (x.action != exec_action::look)
      return exec_report{.operation = x.operation};
    const auto at = x.output.offset;
    const auto bytes = text.substr(at, piece);
    const bool is_all = at + bytes.size() == text.size();
    const bool has_exited = was_killed || (ends && is_all);
    return exec_report{
      .output = {.content = to_base64(bytes),
                 .next = {0, at + bytes.size()},
                 .has_ended = has_exited && is_all && !leaves_daemon},
      .errors = {.has_ended = has_exited},
      .has_exited = has_exited,
      .status = was_killed ? 143 : status};
  }

  expected<program_end> run(milliseconds limit = 0ms) {
    return run_program(
      {.operation = {"op-1"}, .sandbox = {"kid"}, .limit = limit},
      {[this](std::string_view x) {
         output += x;
         return is_writable;
       },
       [this](std::string_view x) {
         errors += x;
         return true;
       }},
      {.ask = [this](const exec_request& x, milliseconds) { return answer(x); },
       .wait = [this](milliseconds x) { passed += x; },
       .now =
         [this] {
           return program_calls::time_point{} + std::chrono::hours{1} + passed;
         },
       .is_stopped = [this] { return is_stopped; }});
  }
};

} // namespace

TEST_CASE("all that a program printed arrives once and in order",
          "[actors][shell][exec][safety]") {
  auto guest = played_guest{.text = "what a program prints", .status = 5};
  guest.lost_each = GENERATE(0, 2, 3, 4, 7);
  const auto end = guest.run();
  REQUIRE(end);
  CHECK(guest.output == guest.text);
  CHECK(end->status == 5);
  CHECK_FALSE(end->was_stopped);
  CHECK(guest.asked.back() == exec_action::forget);
}

TEST_CASE("who wants its end ends it", "[actors][shell][exec][safety]") {
  auto guest = played_guest{.text = "x", .ends = false, .is_stopped = true};
  const auto end = guest.run();
  REQUIRE(end);
  CHECK(end->was_stopped);
  CHECK(guest.was_killed);
  CHECK(guest.output == "x");
}

TEST_CASE("a guest that does not end what is late is told to",
          "[actors][shell][exec]") {
  auto guest = played_guest{.ends = false};
  const auto end = guest.run(2s);
  REQUIRE(end);
  CHECK(end->was_late);
  CHECK(guest.was_killed);
  CHECK(guest.passed > 2s);
  CHECK(guest.passed < 30s);
}

TEST_CASE("an output that goes nowhere ends the program",
          "[actors][shell][exec]") {
  auto guest = played_guest{.text = "x", .is_writable = false};
  const auto end = guest.run();
  REQUIRE_FALSE(end);
  CHECK(end.error().code == ec::io_failed);
  CHECK(guest.was_killed);
}

TEST_CASE("what a guest refuses is told at once", "[actors][shell][exec]") {
  auto guest = played_guest{.broken = {ec::unsupported, "no agent"}};
  const auto end = guest.run();
  REQUIRE_FALSE(end);
  CHECK(end.error() == guest.broken);
  CHECK(guest.asked.size() == 1);
}

TEST_CASE("a guest that never answers has an end, which names the operation",
          "[actors][shell][exec][safety]") {
  auto guest = played_guest{.broken = {ec::node_down, "gone"}};
  const auto end = guest.run();
  REQUIRE_FALSE(end);
  CHECK(end.error().code == ec::node_down);
  CHECK(end.error().message.find("op-1") != std::string::npos);
  CHECK(guest.passed < 60s);
}

TEST_CASE("what a program left behind holds nobody up",
          "[actors][shell][exec]") {
  auto guest = played_guest{.text = "all of it", .leaves_daemon = true};
  const auto end = guest.run();
  REQUIRE(end);
  CHECK(end->is_still_printing);
  CHECK(guest.output == guest.text);
  CHECK(guest.passed < 10s);
}
