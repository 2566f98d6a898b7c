// SPDX-License-Identifier: Apache-2.0
#include <fstream>

#include <catch2/catch.hpp>

#include "actors/base64.hpp"
#include "node/node_work.hpp"
#include "tests/node/node_fixture.hpp"

using namespace forkfleet;
using namespace forkfleet::test;
using namespace std::chrono_literals;

namespace {

struct access_fixture : node_fixture {
  scratch_directory files = {};

  access_fixture() { start(); }

  exec_request program(const std::string& sandbox = "s1") const {
    return {.operation = {"op-1"},
            .sandbox = {sandbox},
            .arguments = {"true"},
            .epoch = script->epoch};
  }
  console_request console() const {
    return {.sandbox = {"s1"}, .epoch = script->epoch};
  }
  sandbox_info& s1() { return state().sandboxes.at({"s1"}).info; }
  void give_console(const std::string& text) {
    s1().console = files.path() + "/console";
    std::ofstream{s1().console} << text;
  }
};

template <class T>
ec code_of(const expected<T>& x) {
  return x ? ec::none : x.error().code;
}

} // namespace

TEST_CASE_METHOD(access_fixture, "a guest without an agent says what it needs",
                 "[node][node_access]") {
  const auto refused = ask<exec_report>(program());
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == ec::unsupported);
  CHECK(refused.error().message.find("guest_agent: true") != std::string::npos);
  CHECK(code_of(ask<console_report>(console())) == ec::unsupported);
  auto other = program("none");
  other.operation = {"another"};
  CHECK(code_of(ask<exec_report>(other)) == ec::unknown_sandbox);
}

TEST_CASE_METHOD(access_fixture, "only a guest that runs can be reached",
                 "[node][node_access]") {
  s1().agent = files.path() + "/no-agent";
  const auto [where, code] =
    GENERATE(table<sandbox_state, ec>({{sandbox_state::starting, ec::not_ready},
                                       {sandbox_state::gone, ec::vmm_gone},
                                       {sandbox_state::stuck, ec::vmm_gone}}));
  s1().state = where;
  CHECK(code_of(ask<exec_report>(program())) == code);
}

TEST_CASE_METHOD(access_fixture, "a wrong request asks no guest",
                 "[node][node_access]") {
  s1().agent = files.path() + "/no-agent";
  auto empty = program();
  empty.arguments = {};
  CHECK(code_of(ask<exec_report>(empty)) == ec::invalid_request);
  CHECK(code_of(ask<file_report>(
          file_request{.sandbox = {"s1"}, .path = "x", .epoch = script->epoch}))
        == ec::invalid_request);
  CHECK(state().access.lines.empty());
}

TEST_CASE_METHOD(access_fixture, "a console is read by its node",
                 "[node][node_access]") {
  give_console("one\ntwo\n");
  const auto all = ask<console_report>(console());
  REQUIRE(all);
  CHECK(from_base64(all->content) == "one\ntwo\n");
  // Also of a VM that has ended.
  s1().state = sandbox_state::gone;
  auto tail = console();
  tail.tail = 1;
  CHECK(from_base64(ask<console_report>(tail)->content) == "two\n");
}

TEST_CASE_METHOD(access_fixture, "every request for a guest has an answer",
                 "[node][node_access][safety]") {
  give_console("text\n");
  auto asked = std::vector<answer<console_report>>{};
  for (std::size_t i = 0; i < 4 * node_work::access_queue_max; ++i)
    asked.push_back(ask_later<console_report>(console()));
  w.run();
  auto served = std::size_t{0};
  for (const auto& x : asked) {
    REQUIRE(x->has_value());
    const auto code = code_of(x->value());
    CHECK((code == ec::none || code == ec::node_busy));
    served += code == ec::none ? 1 : 0;
  }
  CHECK(served >= node_work::access_queue_max);
  w.advance(10s);
  CHECK(state().access.lines.empty());
}

TEST_CASE_METHOD(access_fixture, "a guest that was silent is known by that",
                 "[node][node_access][safety]") {
  s1().agent = files.path() + "/no-agent";
  CHECK(code_of(ask<exec_report>(program())) == ec::vmm_unreachable);
  const auto& access = state().access;
  CHECK(access.lines.at({{"s1"}, false}).is_silent);
  CHECK(access.waiting == 0);
  // As often as there are workers, and more.
  for (std::size_t i = 0; i < 2 * node_work::access_hands_max; ++i)
    CHECK(code_of(ask<exec_report>(program())) == ec::vmm_unreachable);
  CHECK(access.waiting == 0);
  CHECK(access.hands.size() == node_work::access_hands_min);
  CHECK(access.idle.size() == access.hands.size());
}

TEST_CASE_METHOD(access_fixture, "a node that goes down asks no guest",
                 "[node][node_access]") {
  give_console("text\n");
  state().draining = true;
  CHECK(code_of(ask<console_report>(console())) == ec::shutting_down);
}
