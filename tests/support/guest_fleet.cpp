// SPDX-License-Identifier: Apache-2.0
#include "tests/support/guest_fleet.hpp"

#include <csignal>
#include <sys/wait.h>
#include <tuple>

#include <catch2/catch.hpp>

#include "actors/snapshot_protocol.hpp"
#include "tests/support/skip.hpp"

namespace forkfleet::test {

using namespace std::chrono_literals;

namespace {

std::string one_guest() {
  return guest_sandbox("source", "h1", "96MiB", "ff.rate_mib=50 ff.set_mib=24");
}

} // namespace

guest_fleet::guest_fleet(const std::string& branch,
                         const std::string& data_base)
  : fleet_fixture{
    {.sandboxes = one_guest(), .branch = branch, .data_base = data_base}} {}

bool guest_fleet::can_run() {
  const bool is_there = !one_guest().empty();
  if (!is_there)
    skip("no example guest; run ./dev guest");
  return is_there;
}

void guest_fleet::start_watched() {
  start();
  auto opened = guest::guest_watch::open(sandbox("source").debug_console,
                                         clock::now() + 20s);
  if (!opened)
    FAIL(to_string(opened.error()));
  guest = std::move(*opened);
  REQUIRE(guest->wait_for_counter(1000, clock::now() + 60s));
}

void guest_fleet::check_guest_runs() {
  const auto now = clock::now();
  const auto heard = guest->wait_for_tick(now, now + 20s);
  CHECK(heard);
  CHECK(guest->state().errors == 0);
  CHECK(guest->log().leaps() == 0);
}

void guest_fleet::restart_node(const std::string& fault) {
  if (node("h1").is_running())
    kill_node("h1");
  start_node("h1", fault);
  REQUIRE(eventually([this] { return is_ready(); }));
}

branch_request guest_fleet::request(const std::string& operation,
                                    branch_mode mode) const {
  return {.operation = {operation},
          .sandbox = {"source"},
          .tag = {operation},
          .mode = mode,
          .deadline = 30s};
}

std::thread guest_fleet::ask_aside(const branch_request& wanted) {
  return std::thread{[where = reach(), wanted] {
    auto own = client{where};
    std::ignore = own.ask<branch_report>(wanted, 60s);
  }};
}

operation_status guest_fleet::ending_of(const std::string& operation) {
  auto status = operation_status{};
  eventually([&] {
    const auto known = status_of(operation);
    if (known)
      status = *known;
    return known && known->state == operation_state::ended;
  });
  return status;
}

void guest_fleet::wait_until_stopped() {
  int status = 0;
  const auto pid = node("h1").pid();
  REQUIRE(eventually(
    [&] { return ::waitpid(pid, &status, WUNTRACED | WNOHANG) == pid; }));
  REQUIRE(WIFSTOPPED(status));
}

void guest_fleet::resume_node() {
  ::kill(node("h1").pid(), SIGCONT);
}

void guest_fleet::check_whole(const std::string& tag) {
  const auto found = ask<verify_report>(verify_request{.tag = {tag}}, 60s);
  INFO(tag << ": "
           << (found ? to_string(found->outcome) : to_string(found.error())));
  REQUIRE(found);
  CHECK_FALSE(found->outcome);
  CHECK(found->hashes > 0);
}

void guest_fleet::check_child(const std::string& tag) {
  const auto name = "child-" + tag;
  const auto made =
    ask<restore_report>(restore_request{.tag = {tag}, .sandbox = {name}}, 60s);
  INFO(tag << ": "
           << (made ? to_string(made->outcome) : to_string(made.error())));
  REQUIRE(made);
  REQUIRE_FALSE(made->outcome);
  auto child =
    guest::guest_watch::open(made->sandbox.debug_console, clock::now() + 20s);
  REQUIRE(child);
  const auto first = (*child)->wait_for_tick(clock::now(), clock::now() + 30s);
  REQUIRE(first);
  // Long enough for the guest to look at all of its working set again.
  CHECK((*child)->wait_for_counter(first->counter + 1000, clock::now() + 60s));
  CHECK((*child)->state().errors == 0);
  const auto gone = ask<done>(stop_request{.sandbox = {name}}, 30s);
  CHECK(gone);
}

} // namespace forkfleet::test
