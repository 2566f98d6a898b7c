// SPDX-License-Identifier: Apache-2.0
// Rollback and promote of real guests, also when the node is killed in their
// middle: the name is there exactly once, and its guest counts on.
#include <algorithm>
#include <csignal>
#include <fstream>
#include <iterator>
#include <sys/wait.h>
#include <thread>
#include <tuple>

#include <catch2/catch.hpp>

#include "actors/switch_protocol.hpp"
#include "tests/support/guest_fleet.hpp"

using namespace forkfleet;
using namespace forkfleet::test;
using namespace std::chrono_literals;

namespace {

struct switch_fleet : guest_fleet {
  /// What a guest has counted to, when its memory is sound.
  uint64_t counter_of(const std::string& id) {
    auto watch =
      guest::guest_watch::open(sandbox(id).debug_console, clock::now() + 20s);
    REQUIRE(watch);
    const auto tick = (*watch)->wait_for_tick(clock::now(), clock::now() + 60s);
    REQUIRE(tick);
    CHECK((*watch)->state().errors == 0);
    return tick->counter;
  }
  void take_warm() {
    start_watched();
    auto asked = request("warm", branch_mode::full);
    const auto report = branch(asked);
    REQUIRE(report);
    REQUIRE_FALSE(report->outcome);
    // A console has one listener.
    guest.reset();
  }
  void make_child() {
    const auto made = ask<restore_report>(
      restore_request{.operation = {"op-kid-" + std::to_string(++children_)},
                      .tag = {"warm"},
                      .sandbox = {"kid"}},
      60s);
    REQUIRE(made);
    REQUIRE_FALSE(made->outcome);
  }
  /// Its exit code and what it printed.
  std::pair<int, std::string> tool(std::vector<std::string> words) {
    words.insert(words.begin(), program_path("forkfleet"));
    words.insert(words.end(),
                 {"--coordinator", "127.0.0.1:" + std::to_string(port())});
    const auto log = log_of("tool");
    auto run = program_run{words, log};
    const int status = run.wait(120s);
    auto in = std::ifstream{log};
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1,
            std::string{std::istreambuf_iterator<char>{in}, {}}};
  }
  std::vector<std::string> names() {
    const auto all = ask<sandbox_list>(sandboxes_request{}, 10s);
    REQUIRE(all);
    std::vector<std::string> result;
    for (const auto& x : all->sandboxes)
      result.push_back(x.id.value);
    std::sort(result.begin(), result.end());
    return result;
  }
  /// The ledger finds nothing that is nobody's: no VM of the one that lost.
  void check_clean(std::size_t sandboxes) {
    CHECK(names_in("h1", "sandboxes").size() == sandboxes);
    const auto [code, text] = tool({"fsck", "--young", "5s"});
    INFO(text);
    CHECK(code == 0);
  }

private:
  int children_ = 0;
};

} // namespace

TEST_CASE_METHOD(switch_fleet, "a guest goes back to a snapshot in place",
                 "[end_to_end][vm][switch]") {
  if (!can_run())
    return;
  take_warm();
  REQUIRE(eventually([this] { return counter_of("source") > 6000; }));
  const auto before = counter_of("source");
  const auto old = sandbox("source");
  const auto [code, text] = tool({"rollback", "source", "warm"});
  INFO(text);
  REQUIRE(code == 0);
  CHECK(text.find("source-before-") != std::string::npos);
  const auto now = sandbox("source");
  CHECK(now.parent.value == "warm");
  CHECK(now.pid != old.pid);
  CHECK(counter_of("source") < before);
  CHECK(snapshots().size() == 2);
  check_clean(1);
  CHECK(tool({"rollback", "source", "none"}).first == 5);
  restart_node();
  CHECK(sandbox("source").parent.value == "warm");
  CHECK(counter_of("source") > 0);
}

TEST_CASE_METHOD(switch_fleet, "a child takes the place of its source",
                 "[end_to_end][vm][switch]") {
  if (!can_run())
    return;
  take_warm();
  make_child();
  const auto pid = sandbox("kid").pid;
  const std::vector<std::string> words{"promote", "kid", "--operation",
                                       "op-up"};
  const auto [code, text] = tool(words);
  INFO(text);
  REQUIRE(code == 0);
  CHECK(names() == std::vector<std::string>{"source"});
  // Its answer may have been lost.
  CHECK(tool(words).first == 0);
  CHECK(sandbox("source").pid == pid);
  CHECK(counter_of("source") > 0);
  check_clean(1);
  restart_node();
  CHECK(sandbox("source").pid == pid);
  make_child();
  CHECK(tool(words).first == 0);
  CHECK(names() == std::vector<std::string>{"kid", "source"});
  CHECK(sandbox("source").pid == pid);
}

TEST_CASE_METHOD(switch_fleet, "a node killed in a switch leaves the name once",
                 "[end_to_end][vm][switch][safety]") {
  if (!can_run())
    return;
  take_warm();
  for (const std::string place : {"switch.started", "switch.committed"})
    for (const bool is_promotion : {false, true}) {
      CAPTURE(place, is_promotion);
      const bool is_done = place == "switch.committed";
      if (is_promotion)
        make_child();
      restart_node("kill:" + place);
      const auto before = sandbox("source").pid;
      const auto child = is_promotion ? sandbox("kid").pid : 0;
      std::thread asking{[this, is_promotion] {
        auto own = client{reach()};
        if (is_promotion)
          std::ignore =
            own.ask<restore_report>(promote_request{.sandbox = {"kid"}}, 60s);
        else
          std::ignore = own.ask<restore_report>(
            rollback_request{.sandbox = {"source"}, .tag = {"warm"}}, 60s);
      }};
      const int status = node("h1").wait(60s);
      CHECK(WIFSIGNALED(status));
      restart_node();
      asking.join();
      const auto now = sandbox("source");
      CHECK((now.pid != before) == is_done);
      if (is_promotion)
        CHECK((now.pid == child) == is_done);
      const bool has_child = is_promotion && !is_done;
      CHECK(names().size() == (has_child ? 2u : 1u));
      CHECK(counter_of("source") > 0);
      check_clean(has_child ? 2 : 1);
      if (has_child)
        CHECK(ask<done>(stop_request{.sandbox = {"kid"}}, 30s));
    }
}
