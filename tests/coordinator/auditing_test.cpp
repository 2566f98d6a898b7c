// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "tests/coordinator/fake_node.hpp"

using namespace forkfleet;
using namespace forkfleet::test;
using namespace std::chrono_literals;

namespace {

/// A coordinator whose clients are all one subject, which changes.
struct judged_fixture : coordinator_fixture {
  judged_fixture() {
    auto access = coordinator_access{};
    access.who_is = [this](const caf::node_id&) { return who; };
    access.audit = [this](const audit_record& x) { lines.push_back(x); };
    start(std::move(access));
    join_all();
  }

  access_subject who = {"client:ann", "0A", access_role::operate};
  std::vector<audit_record> lines = {};
};

} // namespace

TEST_CASE_METHOD(judged_fixture, "a node is told who asked, not who says so",
                 "[coordinator][auditing][safety]") {
  const auto asked = ask<branch_report>(branch_request{
    .operation = {"op"}, .sandbox = {"s1"}, .tag = {"t1"}, .subject = "uid:0"});
  auto& branches = scripts.at("h1")->branches;
  REQUIRE(branches.size() == 1);
  CHECK(branches[0].request.subject == "client:ann#0A");
  finish("h1");
  REQUIRE(asked->value());
  CHECK(asked->value()->subject == "client:ann#0A");
  CHECK(status_of("op").report.subject == "client:ann#0A");
  REQUIRE(lines.size() == 2);
  CHECK(lines[0].event == "asked");
  CHECK(lines[0].role == "operator");
  CHECK(lines[0].message == "branch_request");
  CHECK(lines[0].operation == "op");
  CHECK(lines[0].target == "s1 t1");
  CHECK(lines[1].event == "ended");
  CHECK(lines[1].subject == "client:ann#0A");
  CHECK_FALSE(lines[1].outcome);
}

TEST_CASE_METHOD(judged_fixture, "what a role does not allow reaches no node",
                 "[coordinator][auditing][safety]") {
  who.role = access_role::viewer;
  CHECK(code_of(branch("op")) == ec::not_permitted);
  CHECK(code_of(ask<done>(stop_request{.sandbox = {"s1"}}))
        == ec::not_permitted);
  CHECK(scripts.at("h1")->branches.empty());
  CHECK(status_of("op").state == operation_state::unknown);
  REQUIRE(lines.size() == 2);
  CHECK(lines[0].event == "refused");
  CHECK(lines[0].outcome.code == ec::not_permitted);
  // Looking is allowed, and leaves no line.
  CHECK(ask<sandbox_list>(sandboxes_request{})->value());
  CHECK(lines.size() == 2);
}

TEST_CASE_METHOD(judged_fixture, "who is not known asks nothing",
                 "[coordinator][auditing][safety]") {
  who = {};
  CHECK(code_of(ask<node_list>(nodes_request{})) == ec::not_permitted);
  CHECK(code_of(branch("op")) == ec::not_permitted);
}

TEST_CASE_METHOD(judged_fixture, "only who asked, or an admin, cancels",
                 "[coordinator][auditing][safety]") {
  const auto asked = branch("op");
  who = {"client:bob", "0B", access_role::operate};
  const auto cancel = cancel_request{.operation = {"op"}};
  CHECK(code_of(ask<done>(cancel)) == ec::not_permitted);
  CHECK(lines.back().event == "refused");
  CHECK(scripts.at("h1")->cancels.empty());
  who = {"client:root", "0C", access_role::admin};
  const auto allowed = ask<done>(cancel);
  CHECK(scripts.at("h1")->cancels.size() == 1);
  CHECK(is_pending(allowed));
}

TEST_CASE_METHOD(judged_fixture, "an errand's end is told as well",
                 "[coordinator][auditing]") {
  const auto asked = ask<done>(stop_request{.sandbox = {"s1"}});
  REQUIRE(scripts.at("h1")->stops.size() == 1);
  deliver("h1", scripts.at("h1")->stops[0].promise, done{});
  REQUIRE(asked->value());
  REQUIRE(lines.size() == 2);
  CHECK(lines[1].event == "ended");
  CHECK(lines[1].message == "stop_request");
  CHECK(lines[1].subject == "client:ann#0A");
}
