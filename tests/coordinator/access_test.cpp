// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "tests/coordinator/fake_node.hpp"

using namespace forkfleet;
using namespace forkfleet::test;
using namespace std::chrono_literals;

namespace {

exec_request start_of(const std::string& sandbox) {
  return {.operation = {"op-1"}, .sandbox = {sandbox}, .arguments = {"true"}};
}

} // namespace

TEST_CASE_METHOD(joined_fixture, "a guest is reached through its host",
                 "[coordinator][access]") {
  const auto run = ask<exec_report>(start_of("s2"));
  const auto read =
    ask<file_report>(file_request{.sandbox = {"s1"}, .path = "/etc/hostname"});
  const auto printed =
    ask<console_report>(console_request{.sandbox = {"s1"}, .deadline = 2s});
  auto& programs = scripts["h2"]->programs;
  auto& node = *scripts["h1"];
  REQUIRE((programs.size() == 1 && node.files.size() == 1
           && node.consoles.size() == 1));
  CHECK(programs[0].request.arguments == std::vector<std::string>{"true"});
  CHECK(programs[0].request.epoch == 3);
  CHECK(programs[0].request.deadline == access_deadline);
  CHECK(node.consoles[0].request.deadline == 2s);
  deliver("h2", programs[0].promise, exec_report{.status = 3});
  deliver("h1", node.files[0].promise, file_report{.next = 7});
  deliver("h1", node.consoles[0].promise, console_report{.next = 9});
  CHECK(run->value()->status == 3);
  CHECK(read->value()->next == 7);
  CHECK(printed->value()->next == 9);
}

TEST_CASE_METHOD(joined_fixture, "a guest that is nowhere cannot be reached",
                 "[coordinator][access]") {
  CHECK(code_of(ask<exec_report>(start_of("none"))) == ec::unknown_sandbox);
  CHECK(code_of(ask<exec_report>(start_of("../x"))) == ec::invalid_request);
  auto nameless = start_of("s1");
  nameless.operation = {};
  CHECK(code_of(ask<exec_report>(nameless)) == ec::invalid_request);
  auto slow = start_of("s1");
  slow.deadline = access_deadline_max + 1ms;
  CHECK(code_of(ask<exec_report>(slow)) == ec::invalid_request);
  CHECK(scripts["h1"]->programs.empty());
}

TEST_CASE_METHOD(joined_fixture, "access ends with its node",
                 "[coordinator][access][safety]") {
  const auto run = ask<exec_report>(start_of("s1"));
  const auto read =
    ask<file_report>(file_request{.sandbox = {"s1"}, .path = "/x"});
  w.kill(nodes["h1"]);
  w.run();
  CHECK(code_of(run) == ec::node_down);
  CHECK(code_of(read) == ec::node_down);
}

TEST_CASE_METHOD(joined_fixture, "a host that lacks the sandbox is believed",
                 "[coordinator][access]") {
  const auto first = ask<exec_report>(start_of("s1"));
  deliver("h1", scripts["h1"]->programs.at(0).promise,
          to_caf_error(ec::unknown_sandbox, "s1"));
  CHECK(code_of(first) == ec::unknown_sandbox);
  CHECK(code_of(ask<exec_report>(start_of("s1"))) == ec::unknown_sandbox);
  CHECK(scripts["h1"]->programs.size() == 1);
}
