// SPDX-License-Identifier: Apache-2.0
#include "actors/schema/json.hpp"

#include <random>

#include <catch2/catch.hpp>

#include "actors/compare_protocol.hpp"
#include "actors/exec_protocol.hpp"
#include "actors/fsck_protocol.hpp"
#include "actors/membership_protocol.hpp"
#include "actors/snapshot_protocol.hpp"
#include "actors/switch_protocol.hpp"
#include "tests/support/random_value.hpp"

using namespace forkfleet;
using namespace forkfleet::schema;

namespace {

/// One field of each type that the protocols do not use.
struct numbers {
  uint8_t small = 7;
  int16_t whole = 0;
  double real = 0;
  std::chrono::seconds wait{0};

  friend bool operator==(const numbers&, const numbers&) = default;
  static constexpr schema::about about{"numbers", "Numbers of some sizes."};
  static constexpr auto fields() {
    return std::tuple{
      field("small", &numbers::small, "Eight bits."),
      field("whole", &numbers::whole, "Sixteen bits."),
      field("real", &numbers::real, "A fraction."),
      field("wait_s", &numbers::wait, "A time."),
    };
  }
};

template <class T>
std::string refusal(std::string_view text, json_options options = {}) {
  const auto parsed = parse_json(text);
  REQUIRE(parsed);
  const auto result = from_json<T>(*parsed, options);
  if (result)
    return "";
  CHECK(result.error().code == ec::invalid_request);
  return result.error().message;
}

template <class T>
void survives(int rounds) {
  std::mt19937_64 dice{17};
  for (int i = 0; i < rounds; ++i) {
    const auto value = test::random_value<T>(dice);
    const auto text = dump(to_json(value));
    CAPTURE(text);
    const auto parsed = parse_json(text);
    REQUIRE(parsed);
    const auto again = from_json<T>(*parsed);
    REQUIRE(again);
    REQUIRE(*again == value);
  }
}

} // namespace

TEMPLATE_TEST_CASE(
  "any message survives JSON", "[actors][json][property]", numbers, failure,
  stage_timing, branch_request, branch_report, operation_query,
  operation_status, sandbox_info, snapshot_info, restore_request,
  restore_report, stop_request, remove_request, done, node_load, node_info,
  nodes_request, node_list, sandboxes_request, sandbox_list, snapshots_request,
  snapshot_list, fleet_event, events_request, event_list, node_hello,
  node_welcome, inventory_page, node_heartbeat, heartbeat_ack, node_events,
  node_goodbye, cancel_request, flatten_request, verify_request, verify_report,
  export_request, import_request, archive_report, annotate_request,
  inspect_request, inspect_report, memory_run, compare_request, compare_report,
  stream_position, stream_piece, exec_request, exec_report, file_request,
  file_report, console_request, console_report, fsck_request, fsck_report,
  rollback_request, promote_request) {
  survives<TestType>(100);
}

TEST_CASE("what JSON leaves out keeps its default", "[actors][json]") {
  const auto result = from_json<numbers>(json::object());
  REQUIRE(result);
  CHECK(*result == numbers{});
}

TEST_CASE("numbers are never bent to fit", "[actors][json][safety]") {
  CHECK(refusal<numbers>(R"({"small": 256})")
        == "$.small: must be 0 to 255, not 256");
  CHECK(refusal<numbers>(R"({"small": -1})")
        == "$.small: must be 0 to 255, not -1");
  CHECK(refusal<numbers>(R"({"small": 1.0})")
        == "$.small: must be a whole number, not 1.0");
  CHECK(refusal<numbers>(R"({"small": true})")
        == "$.small: must be a whole number, not a boolean");
  CHECK(refusal<numbers>(R"({"small": "1"})")
        == "$.small: must be a whole number, not a string");
  CHECK(refusal<numbers>(R"({"whole": 40000, "wait_s": 18446744073709551615})")
        == "$.whole: must be -32768 to 32767, not 40000; $.wait_s: must be "
           "-9223372036854775808 to 9223372036854775807, not "
           "18446744073709551615");
  CHECK(refusal<numbers>(R"({"wait_s": 99999999999999999999})")
          .starts_with("$.wait_s: must be "));
}

TEST_CASE("the limits themselves are allowed", "[actors][json]") {
  CHECK(refusal<numbers>(R"({"small": 255, "whole": -32768})").empty());
  CHECK(refusal<numbers>(R"({"wait_s": -9223372036854775808})").empty());
  CHECK(refusal<node_welcome>(R"({"epoch": 18446744073709551615})").empty());
}

TEST_CASE("all problems of a message are told at once, with their paths",
          "[actors][json]") {
  CHECK(refusal<branch_report>(
          R"({"sandbx": 1, "outcome": {"code": "disk_ful", "message": 3},
              "stages": [{"stage": "seal"}, {"stage": "seel"}, 5]})")
        == "$: unknown field 'sandbx' (did you mean 'sandbox'?); "
           "$.outcome.code: unknown value 'disk_ful' (did you mean "
           "'disk_full'?); $.outcome.message: must be a string, not a number; "
           "$.stages[1].stage: unknown value 'seel' (did you mean 'seal'?); "
           "$.stages[2]: must be an object, not a number");
}

TEST_CASE("a required field must be there", "[actors][json]") {
  CHECK(refusal<branch_request>("{}") == "$.sandbox: is required");
  CHECK(refusal<branch_request>(R"({"sandbox": null})")
        == "$.sandbox: must be a string, not null");
  CHECK(refusal<branch_request>("[]") == "$: must be an object, not an array");
}

TEST_CASE("an id that could leave its directory is refused",
          "[actors][json][safety]") {
  CHECK(refusal<stop_request>(R"({"sandbox": "../../etc"})")
          .starts_with("$.sandbox: '../../etc' is not a sandbox name"));
}

TEST_CASE("a script cannot set what programs say among themselves",
          "[actors][json][safety]") {
  const auto text = R"({"sandbox": "a", "epoch": 7})";
  CHECK(refusal<stop_request>(text).empty());
  CHECK(refusal<stop_request>(text, {.script = true})
        == "$.epoch: is set by the programs, not by scripts");
  CHECK(refusal<events_request>(R"({"wait_ms": -5})", {.script = true})
          .starts_with("$.wait_ms: must be 0 to "));
}

TEST_CASE("a failure names at most 20 problems and counts the rest",
          "[actors][json]") {
  const failure result = to_failure(std::vector<std::string>(25, "$.x: wrong"));
  CHECK(result.message.ends_with("$.x: wrong; and 5 more"));
}
