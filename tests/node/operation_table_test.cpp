// SPDX-License-Identifier: Apache-2.0
#include "node/operation_table.hpp"

#include <catch2/catch.hpp>

using namespace forkfleet;

namespace {

struct table_fixture {
  operation_table table{3};

  static branch_request request(const std::string& operation) {
    return {.operation = {operation}, .sandbox = {"box"}, .tag = {operation}};
  }

  void run_to_end(const std::string& operation) {
    table.claim(request(operation));
    table.finish({.operation = {operation}, .method = "simulated"});
  }
};

} // namespace

TEST_CASE_METHOD(table_fixture, "a repeated operation joins the running one",
                 "[node][operation_table]") {
  CHECK(table.claim(request("a")) == operation_claim::fresh);
  CHECK(table.claim(request("a")) == operation_claim::joined);
  CHECK(table.status_of({"a"}).state == operation_state::running);
}

TEST_CASE_METHOD(table_fixture, "a repeated operation gets the first outcome",
                 "[node][operation_table][safety]") {
  run_to_end("a");
  CHECK(table.claim(request("a")) == operation_claim::ended);
  table.finish({.operation = {"a"}, .method = "another"});
  CHECK(table.status_of({"a"}).report.method == "simulated");
}

TEST_CASE_METHOD(table_fixture, "an operation id is used for one branch only",
                 "[node][operation_table][safety]") {
  table.claim(request("a"));
  auto other = request("a");
  other.sandbox = {"another-box"};
  CHECK(table.claim(other) == operation_claim::conflict);
  CHECK(table.difference(other) == "sandbox");
  other = request("a");
  other.labels = {"a=b"};
  CHECK(table.claim(other) == operation_claim::conflict);
  CHECK(table.difference(other) == "labels");
  auto retry = request("a");
  retry.deadline = milliseconds{7};
  retry.epoch = 3;
  CHECK(table.claim(retry) == operation_claim::joined);
}

TEST_CASE_METHOD(table_fixture, "only the latest outcomes are remembered",
                 "[node][operation_table]") {
  for (const auto* operation : {"a", "b", "c", "d"})
    run_to_end(operation);
  CHECK(table.status_of({"a"}).state == operation_state::unknown);
  CHECK(table.status_of({"d"}).state == operation_state::ended);
  CHECK(table.list().size() == 3);
}

TEST_CASE_METHOD(table_fixture, "a branch that never started is forgotten",
                 "[node][operation_table]") {
  table.claim(request("a"));
  table.withdraw({"a"});
  CHECK(table.status_of({"a"}).state == operation_state::unknown);
  run_to_end("b");
  table.withdraw({"b"});
  CHECK(table.status_of({"b"}).state == operation_state::ended);
}

TEST_CASE_METHOD(table_fixture, "what an earlier life did is known",
                 "[node][operation_table]") {
  table.learn(request("a"),
              {.operation = {"a"}, .outcome = {ec::interrupted, "killed"}});
  CHECK(table.claim(request("a")) == operation_claim::ended);
  CHECK(table.status_of({"a"}).report.outcome.code == ec::interrupted);
}
