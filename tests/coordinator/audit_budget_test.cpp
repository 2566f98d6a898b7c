// SPDX-License-Identifier: Apache-2.0
#include "coordinator/audit_budget.hpp"

#include <catch2/catch.hpp>

using namespace forkfleet;
using namespace std::chrono_literals;

namespace {

const auto start = audit_budget::time_point{} + 1h;

audit_record refusal(const std::string& subject) {
  return {.event = "refused", .subject = subject, .message = "stop_request"};
}

} // namespace

TEST_CASE("one subject's many refusals leave room for others'",
          "[coordinator][audit_budget][safety]") {
  auto unit = audit_budget{};
  std::size_t written = 0;
  for (int i = 0; i < 1000; ++i)
    written += unit.take(refusal("client:mallory"), start) ? 1 : 0;
  CHECK(written == audit_budget::refusals_max);
  CHECK(unit.take(refusal("client:ann"), start));
}

TEST_CASE("how many were not written is told once",
          "[coordinator][audit_budget]") {
  auto unit = audit_budget{};
  for (std::size_t i = 0; i < audit_budget::refusals_max + 7; ++i)
    unit.take(refusal("client:mallory"), start);
  CHECK(unit.take_suppressed(start + 59s).empty());
  const auto told = unit.take_suppressed(start + 60s);
  REQUIRE(told.size() == 1);
  CHECK(told.front().event == "suppressed");
  CHECK(told.front().subject == "client:mallory");
  CHECK(told.front().count == 7);
  CHECK(unit.take_suppressed(start + 120s).empty());
  CHECK(unit.take(refusal("client:mallory"), start + 120s));
}

TEST_CASE("many subjects take no more than their limit together",
          "[coordinator][audit_budget][safety]") {
  auto unit = audit_budget{};
  std::size_t written = 0;
  for (int i = 0; i < 10'000; ++i)
    written += unit.take(refusal("client:c" + std::to_string(i)), start);
  CHECK(written == audit_budget::subjects_max + audit_budget::refusals_max);
}
