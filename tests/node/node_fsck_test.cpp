// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>

#include <catch2/catch.hpp>

#include "node/ledger/host_check.hpp"
#include "node/node_work.hpp"
#include "tests/node/node_fixture.hpp"

using namespace forkfleet;
using namespace forkfleet::test;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

template <class T>
ec code_of(const expected<T>& x) {
  return x ? ec::none : x.error().code;
}

microseconds unix_time() {
  return std::chrono::duration_cast<microseconds>(
    std::chrono::system_clock::now().time_since_epoch());
}

/// A node that can look at its host, in an hour when nothing is young.
struct fsck_fixture : node_fixture {
  fsck_fixture() {
    adjust = [this](node_services& services) {
      services.wall = [] { return unix_time() + 1h; };
      services.look_at_host = [this](ledger_owners owners,
                                     const ledger_times& times) {
        auto ledger =
          judge_host(look(), *place.store, std::move(owners), times);
        after_look();
        return ledger;
      };
      services.repair_host = [this](host_ledger& ledger) {
        repair_host(ledger, *place.store);
        after_repair();
      };
    };
  }

  look_plan look() const {
    return {.data = place.data(), .fast_directory = empty.path()};
  }
  void plant(const std::string& path) {
    fs::create_directories(place.data() + "/" + path);
    std::ofstream{place.data() + "/" + path + "/memory.bin"} << "x";
  }
  fsck_request request_of(bool repair) const {
    return {
      .host = {"h1"}, .repair = repair, .young = 30s, .epoch = script->epoch};
  }
  fsck_report check(bool repair = false) {
    const auto report = ask<fsck_report>(request_of(repair));
    REQUIRE(report);
    REQUIRE_FALSE(report->outcome);
    return *report;
  }
  static bool is_clean(const fsck_report& x) {
    return std::ranges::none_of(
      x.counts, [](const ledger_count& c) { return is_finding(c.state); });
  }

  scratch_directory empty = {};
  std::function<void()> after_look = [] {};
  std::function<void()> after_repair = [] {};
};

/// Looks at every instant at which a VM or an actor does anything.
struct watched_fixture : fsck_fixture {
  watched_fixture() {
    place.on_pass = [this] { look_now(); };
  }

  void look_now() {
    if (!unit || is_looking)
      return;
    is_looking = true;
    ++looks;
    const auto ledger =
      judge_host(look(), *place.store, node_work::owners_of(unit_pointer()),
                 {.now = unix_time() + 1h, .young = 30s});
    REQUIRE(ledger);
    for (const auto& [thing, item] : *ledger)
      if (is_finding(item.state))
        FAIL_CHECK(item.where << ": " << item.reason);
    is_looking = false;
  }
  void run_watched() {
    while (w.run_one())
      look_now();
  }
  /// Something that a user may ask, at random.
  void ask_anything(int step) {
    const auto name = std::to_string(step);
    const auto old = std::to_string(w.dice(static_cast<uint64_t>(step) + 1));
    switch (w.dice(6)) {
      case 0:
        ask_later<branch_report>(request("op-" + name));
        break;
      case 1:
        ask_later<restore_report>(restore_request{.operation = {"r-" + name},
                                                  .tag = {"op-" + old},
                                                  .sandbox = {"c-" + name},
                                                  .epoch = script->epoch});
        break;
      case 2:
        ask_later<branch_report>(request("op-" + name, "c-" + old));
        break;
      case 3:
        ask_later<done>(
          stop_request{.sandbox = {"c-" + old}, .epoch = script->epoch});
        break;
      case 4:
        ask_later<done>(
          remove_request{.tag = {"op-" + old}, .epoch = script->epoch});
        break;
      default:
        ask_later<done>(
          flatten_request{.tag = {"op-" + old}, .epoch = script->epoch});
        break;
    }
  }

  bool is_looking = false;
  std::size_t looks = 0;
};

} // namespace

TEST_CASE_METHOD(fsck_fixture, "a node tells what nobody owns, and removes it",
                 "[node][node_fsck]") {
  start();
  REQUIRE(branch("op-1"));
  CHECK(is_clean(check()));
  plant("staging/op-lost");
  plant("sandboxes/half");
  CHECK_FALSE(is_clean(check()));
  CHECK(fs::exists(place.data() + "/sandboxes/half"));
  const auto repaired = check(true);
  CHECK(repaired.repaired == 2);
  CHECK_FALSE(fs::exists(place.data() + "/staging/op-lost"));
  CHECK_FALSE(fs::exists(place.data() + "/sandboxes/half"));
  CHECK(is_clean(check()));
  CHECK(std::ranges::count(script->events, "fsck.repaired", &fleet_event::kind)
        == 1);
}

TEST_CASE_METHOD(fsck_fixture, "one look at a time, and none without the means",
                 "[node][node_fsck]") {
  start();
  state().fsck.is_running = true;
  CHECK(code_of(ask<fsck_report>(request_of(false))) == ec::node_busy);
  state().fsck.is_running = false;
  state().services.look_at_host = {};
  CHECK(code_of(ask<fsck_report>(request_of(false))) == ec::unsupported);
}

TEST_CASE_METHOD(fsck_fixture, "what comes into use during a look is kept",
                 "[node][node_fsck][safety]") {
  start();
  REQUIRE(branch("op-1"));
  plant("sandboxes/kid");
  after_look = [this] {
    ask_later<restore_report>(restore_request{.operation = {"r-1"},
                                              .tag = {"op-1"},
                                              .sandbox = {"kid"},
                                              .epoch = script->epoch});
    // The NODE takes it before it hears of the look's end.
    while (!state().sandboxes.contains({"kid"}) && w.run_one())
      continue;
  };
  const auto report = check(true);
  CHECK(report.repaired == 0);
  CHECK(info("kid").state == sandbox_state::running);
  CHECK(fs::exists(place.data() + "/sandboxes/kid/sandbox.json"));
}

TEST_CASE_METHOD(fsck_fixture, "a name that is being removed is not taken",
                 "[node][node_fsck][safety]") {
  start();
  REQUIRE(branch("op-1"));
  plant("sandboxes/kid");
  auto refused = answer<restore_report>{};
  after_repair = [this, &refused] {
    refused =
      ask_later<restore_report>(restore_request{.operation = {"r-1"},
                                                .tag = {"op-1"},
                                                .sandbox = {"kid"},
                                                .epoch = script->epoch});
    while (!refused->has_value() && w.run_one())
      continue;
  };
  CHECK(check(true).repaired == 1);
  REQUIRE((refused && refused->has_value()));
  CHECK(code_of(refused->value()) == ec::not_ready);
  after_repair = [] {};
  CHECK(restore("r-2", "op-1", "kid"));
}

TEST_CASE("a node at work never takes its own for an orphan's",
          "[node][node_fsck][safety][property]") {
  const auto seed = GENERATE(range(0, 8));
  CAPTURE(seed);
  watched_fixture f;
  for (int i = 0; i < seed; ++i)
    f.w.dice(2);
  f.start();
  for (int step = 0; step < 25; ++step) {
    for (auto more = f.w.dice(3) + 1; more > 0; --more)
      f.ask_anything(step);
    for (auto some = f.w.dice(30); some > 0 && f.w.run_one(); --some)
      f.look_now();
  }
  f.run_watched();
  CHECK(f.looks > 100);
}
