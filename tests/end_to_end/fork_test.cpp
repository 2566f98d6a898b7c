// SPDX-License-Identifier: Apache-2.0
// Children by the dozen of a real guest: each goes on from the branch point,
// and a node that dies in the middle leaves none by halves.
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <map>
#include <thread>

#include <catch2/catch.hpp>

#include "tests/support/guest_fleet.hpp"

using namespace forkfleet;
using namespace forkfleet::test;
using namespace std::chrono_literals;

namespace {

using std::chrono::steady_clock;

struct fork_fleet : guest_fleet {
  using guest_fleet::guest_fleet;

  /// A running guest with the snapshot `warm`.
  void start_warm() {
    start_watched();
    const auto report = branch(request("warm", branch_mode::full));
    REQUIRE(report);
    REQUIRE_FALSE(report->outcome);
  }

  /// The tool, with children `kid-1`, `kid-2`, ...
  program_run fork(int count, const std::string& in_flight) {
    return program_run{{program_path("forkfleet"), "fork", "warm", "--count",
                        std::to_string(count), "--name", "kid", "--operation",
                        "op-kid", "--in-flight", in_flight, "--coordinator",
                        "127.0.0.1:" + std::to_string(port())},
                       log_of("fork")};
  }

  std::map<std::string, sandbox_info> children() {
    std::map<std::string, sandbox_info> result;
    const auto all = ask<sandbox_list>(sandboxes_request{}, 10s);
    REQUIRE(all);
    for (const auto& x : all->sandboxes)
      if (x.origin == sandbox_origin::restored)
        result[x.id.value] = x;
    return result;
  }

  /// It counts on from the branch point, and its memory is whole.
  void check_counts_on(const sandbox_info& child, uint64_t branch_point) {
    CAPTURE(child.id.value);
    auto watch =
      guest::guest_watch::open(child.debug_console, steady_clock::now() + 20s);
    REQUIRE(watch);
    const auto first =
      (*watch)->wait_for_tick(steady_clock::now(), steady_clock::now() + 60s);
    REQUIRE(first);
    CHECK(first->counter >= branch_point);
    CHECK((*watch)->wait_for_counter(first->counter + 100,
                                     steady_clock::now() + 60s));
    CHECK((*watch)->state().errors == 0);
  }

  void stop_all(const std::map<std::string, sandbox_info>& all) {
    for (const auto& [name, info] : all)
      CHECK(ask<done>(stop_request{.sandbox = {name}}, 30s));
  }
};

} // namespace

TEST_CASE_METHOD(fork_fleet, "each of a dozen children goes on by itself",
                 "[end_to_end][vm][fork]") {
  if (!can_run())
    return;
  start_watched();
  const auto before = guest->last()->counter;
  const auto report = branch(request("warm", branch_mode::full));
  REQUIRE(report);
  REQUIRE_FALSE(report->outcome);
  auto tool = fork(12, "3");
  CHECK(tool.wait(120s) == 0);
  const auto found = children();
  CHECK(found.size() == 12);
  for (const auto& [name, info] : found) {
    CHECK(info.state == sandbox_state::running);
    check_counts_on(info, before);
  }
  check_guest_runs();
  // The same command again finds them all, and starts none.
  CHECK(fork(12, "3").wait(60s) == 0);
  CHECK(children().size() == 12);
  stop_all(found);
  CHECK(names_in("h1", "sandboxes") == std::vector<std::string>{"source"});
}

TEST_CASE_METHOD(fork_fleet, "a node killed in a fork leaves no half a child",
                 "[end_to_end][vm][fork][safety]") {
  if (!can_run())
    return;
  const auto begun = GENERATE(1u, 4u, 7u);
  CAPTURE(begun);
  start_warm();
  auto tool = fork(10, "4");
  REQUIRE(
    eventually([&] { return names_in("h1", "sandboxes").size() > begun; }));
  kill_node("h1");
  tool.end(SIGKILL); // it would ask again
  start_node("h1");
  const bool is_whole = eventually([this] { return is_ready(); }, 15s);
  for (const auto& [name, info] : children())
    if (info.state != sandbox_state::running)
      UNSCOPED_INFO(name << " is " << schema::name_of(info.state) << ": "
                         << info.note);
  REQUIRE(is_whole);
  // What is listed runs, or has said why not; nothing else has a directory.
  const auto kept = children();
  const auto directories = names_in("h1", "sandboxes");
  for (const auto& name : directories)
    for (const auto& file : names_in("h1", "sandboxes/" + name))
      UNSCOPED_INFO("there is " << name << "/" << file);
  CHECK(directories.size() == kept.size() + 1);
  for (const auto& [name, info] : kept) {
    CAPTURE(name, info.note);
    CHECK(info.state == sandbox_state::running);
  }
  CHECK(fork(10, "4").wait(120s) == 0);
  const auto all = children();
  CHECK(all.size() == 10);
  check_counts_on(all.at("kid-1"), 1000);
  check_counts_on(all.at("kid-10"), 1000);
  std::printf("node killed after %u children had begun: %zu lived on, the "
              "rest was started anew\n",
              begun, kept.size());
  check_guest_runs();
  stop_all(all);
  CHECK(names_in("h1", "sandboxes") == std::vector<std::string>{"source"});
}
