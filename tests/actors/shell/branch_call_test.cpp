// SPDX-License-Identifier: Apache-2.0
#include "actors/shell/branch_call.hpp"

#include <deque>

#include <catch2/catch.hpp>

using namespace forkfleet;
using namespace forkfleet::shell;
using namespace std::chrono_literals;

namespace {

/// A fleet that gives the answers it was told to, and then loses all.
struct scripted_fleet {
  std::deque<expected<branch_report>> branch_answers = {};
  std::deque<expected<operation_status>> query_answers = {};
  std::vector<branch_request> sent = {};
  int queries = 0;
  branch_calls::time_point clock{};

  expected<branch_report> branch() {
    const branch_calls calls{.branch =
                               [this](const branch_request& x, milliseconds) {
                                 sent.push_back(x);
                                 clock += 10ms;
                                 return take<branch_report>(branch_answers);
                               },
                             .query =
                               [this](const operation_query&, milliseconds) {
                                 ++queries;
                                 clock += 10ms;
                                 return take<operation_status>(query_answers);
                               },
                             .now = [this] { return clock; },
                             .wait = [this](milliseconds x) { clock += x; }};
    return branch_until_known(
      {.operation = {"op-1"}, .sandbox = {"web"}, .deadline = 5s}, 30s, calls);
  }

  template <class T>
  static expected<T> take(std::deque<expected<T>>& answers) {
    if (answers.empty())
      return fail(ec::node_down, "nobody there");
    auto next = answers.front();
    answers.pop_front();
    return next;
  }
};

operation_status status_of(operation_state state) {
  return {.operation = {"op-1"}, .state = state, .report = {.tag = {"t"}}};
}

} // namespace

TEST_CASE_METHOD(scripted_fleet, "an answer that comes is the answer",
                 "[actors][shell][branch_call]") {
  branch_answers = {branch_report{.tag = {"t"}}};
  CHECK(branch()->tag.value == "t");
  CHECK(queries == 0);
}

TEST_CASE_METHOD(scripted_fleet, "a refusal is not asked for again",
                 "[actors][shell][branch_call]") {
  const auto code = GENERATE(ec::unknown_sandbox, ec::branch_in_progress,
                             ec::not_ready, ec::disk_full, ec::guest_stuck);
  branch_answers = {fail(code, "no")};
  CHECK(branch().error().code == code);
  CHECK(sent.size() == 1);
  CHECK(queries == 0);
}

TEST_CASE_METHOD(scripted_fleet, "a lost answer is asked for by id",
                 "[actors][shell][branch_call][safety]") {
  branch_answers = {fail(ec::node_down, "lost")};
  query_answers = {fail(ec::not_ready, "joining"),
                   status_of(operation_state::running),
                   status_of(operation_state::ended)};
  CHECK(branch()->tag.value == "t");
  CHECK(sent.size() == 1);
  CHECK(queries == 3);
}

TEST_CASE_METHOD(scripted_fleet, "what nobody knows is sent again, unchanged",
                 "[actors][shell][branch_call][safety]") {
  branch_answers = {fail(ec::deadline_exceeded, "lost"),
                    branch_report{.tag = {"t"}}};
  query_answers = {status_of(operation_state::unknown)};
  CHECK(branch()->tag.value == "t");
  REQUIRE(sent.size() == 2);
  CHECK(sent[0] == sent[1]);
}

TEST_CASE_METHOD(scripted_fleet, "the limit ends it and names the operation",
                 "[actors][shell][branch_call]") {
  const auto answer = branch();
  REQUIRE_FALSE(answer);
  CHECK(answer.error().code == ec::deadline_exceeded);
  CHECK(answer.error().message.find("forkfleet status op-1")
        != std::string::npos);
  CHECK(clock.time_since_epoch() >= 30s);
  CHECK(queries < 40);
}
