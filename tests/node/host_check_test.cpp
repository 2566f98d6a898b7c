// SPDX-License-Identifier: Apache-2.0
#include "node/ledger/host_check.hpp"

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <random>
#include <set>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "node/storage/file.hpp"
#include "node/storage/sandbox_records.hpp"
#include "tests/support/scratch.hpp"
#include "tests/support/storage.hpp"

using namespace forkfleet;
using namespace forkfleet::test;
namespace fs = std::filesystem;

namespace {

microseconds unix_time() {
  return std::chrono::duration_cast<microseconds>(
    std::chrono::system_clock::now().time_since_epoch());
}

void write(const std::string& path, const std::string& text = "x") {
  fs::create_directories(fs::path{path}.parent_path());
  std::ofstream{path} << text;
}

/// A process that stands in `directory` under the name of a VMM.
class stand_in {
public:
  explicit stand_in(const std::string& directory) : pid_{::fork()} {
    if (pid_ == 0) {
      if (::chdir(directory.c_str()) == 0)
        ::execl("/bin/sleep", "qemu-system-none", "1000", nullptr);
      ::_exit(127);
    }
    const auto path = "/proc/" + std::to_string(pid_) + "/cmdline";
    while (read_small_file(path).value_or("").find("qemu") != 0)
      ::usleep(1000);
  }
  ~stand_in() { end(); }
  stand_in(const stand_in&) = delete;

  qemu::process_id id() const { return qemu::identify(pid_); }
  /// Whether a signal has ended it.
  bool is_killed() {
    int status = 0;
    const bool ended = ::waitpid(pid_, &status, WNOHANG) == pid_;
    pid_ = ended ? 0 : pid_;
    return ended && WIFSIGNALED(status);
  }
  void end() {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      ::waitpid(pid_, nullptr, 0);
    }
    pid_ = 0;
  }

private:
  pid_t pid_;
};

/// A data directory with a snapshot and what a test puts there.
struct checked_host {
  scratch_directory place;
  std::string data = fs::canonical(place.path()).string() + "/data";
  std::string fast = place.path();

  checked_host() {
    auto world = store_world{data};
    REQUIRE(world.branch("op-1", "warm"));
    write(data + "/incarnation", "1");
  }

  void add_sandbox(const std::string& name) const {
    sandbox_records records{data_directory::open(data).value()};
    REQUIRE(records.save({.id = {name}, .origin = sandbox_origin::restored}));
  }
  void note_vm(const std::string& name, const qemu::process_id& id) const {
    write(data + "/sandboxes/" + name + "/vm.json",
          "{\"pid\": " + std::to_string(id.pid)
            + ", \"start_ticks\": " + std::to_string(id.start_ticks) + "}");
  }

  /// Nothing counts as young.
  fsck_report check(bool repair = false) const {
    auto report = check_data({.data = data, .fast_directory = fast},
                             {.repair = repair,
                              .all = true,
                              .young = std::chrono::milliseconds{-60'000}},
                             unix_time());
    REQUIRE(report);
    CAPTURE(report->outcome.message);
    REQUIRE_FALSE(report->outcome);
    return *report;
  }
};

std::set<std::string> found(const fsck_report& report, ledger_state state) {
  std::set<std::string> result;
  for (const auto& x : report.items)
    if (x.state == state)
      result.insert(x.where);
  return result;
}

std::set<std::string> files_below(const std::string& path) {
  std::set<std::string> result;
  for (const auto& x : fs::recursive_directory_iterator{path})
    result.insert(x.path().string());
  return result;
}

} // namespace

TEST_CASE_METHOD(checked_host, "a data directory in order has no finding",
                 "[node][host_check]") {
  add_sandbox("a");
  const auto report = check();
  CHECK(std::ranges::none_of(
    report.items, [](const ledger_item& x) { return is_finding(x.state); }));
  CHECK(found(report, ledger_state::owned).contains(data + "/snapshots/warm"));
}

TEST_CASE_METHOD(checked_host, "damaged owners are told and never removed",
                 "[node][host_check][safety]") {
  add_sandbox("bad");
  write(data + "/sandboxes/bad/sandbox.json", "{");
  write(data + "/snapshots/half/memory.bin");
  write(data + "/operations/op-9.json", "{");
  write(data + "/notes.txt");
  const auto before = files_below(data);
  const auto report = check(true);
  CHECK(found(report, ledger_state::damaged)
        == std::set<std::string>{data + "/sandboxes/bad",
                                 data + "/snapshots/half",
                                 data + "/operations/op-9.json"});
  CHECK(found(report, ledger_state::foreign)
        == std::set<std::string>{data + "/notes.txt"});
  CHECK(report.repaired == 0);
  CHECK(files_below(data) == before);
}

TEST_CASE_METHOD(checked_host,
                 "what cannot be listed is no place without things",
                 "[node][host_check][safety]") {
  write(place.path() + "/plain");
  const auto report =
    check_data({.data = data, .fast_directory = place.path() + "/plain"},
               {.repair = true}, unix_time());
  REQUIRE(report);
  CHECK_THAT(report->outcome.message, Catch::Contains(place.path() + "/plain"));
  CHECK(report->items.empty());
}

TEST_CASE_METHOD(checked_host, "a diff whose base is gone is damaged",
                 "[node][host_check]") {
  {
    auto world = store_world{data};
    REQUIRE(world.branch_over(world.request_over("op-2", "over", "warm"),
                              [](memory_sink&) {}));
  }
  fs::remove_all(data + "/snapshots/warm");
  const auto report = check(true);
  CHECK(found(report, ledger_state::damaged)
        == std::set<std::string>{data + "/snapshots/over"});
  CHECK(fs::exists(data + "/snapshots/over"));
}

TEST_CASE_METHOD(checked_host, "only the VM that no record names is ended",
                 "[node][host_check][safety]") {
  add_sandbox("a");
  fs::create_directories(data + "/sandboxes/lost");
  stand_in own{data + "/sandboxes/a"};
  stand_in second{data + "/sandboxes/a"};
  stand_in lost{data + "/sandboxes/lost"};
  stand_in elsewhere{"/tmp"};
  note_vm("a", own.id());
  CHECK(found(check(), ledger_state::orphan).size() == 3);
  CHECK(check(true).repaired == 3);
  CHECK(second.is_killed());
  CHECK(lost.is_killed());
  CHECK_FALSE(own.is_killed());
  CHECK_FALSE(elsewhere.is_killed());
  CHECK_FALSE(fs::exists(data + "/sandboxes/lost"));
  CHECK(found(check(true), ledger_state::orphan).empty());
}

TEST_CASE_METHOD(checked_host, "a directory that a node has is left alone",
                 "[node][host_check]") {
  const auto node = data_directory::open(data).value();
  const auto report = check_data({.data = data}, {}, unix_time());
  REQUIRE_FALSE(report);
  CHECK(report.error().code == ec::not_permitted);
}

TEST_CASE("of owned and orphaned things at random, a repair leaves the owned",
          "[node][host_check][property][safety]") {
  std::mt19937 dice{20240607};
  const auto toss = [&dice] { return dice() % 2 == 0; };
  for (int round = 0; round < 30; ++round) {
    checked_host host;
    std::set<std::string> orphans;
    std::set<std::string> owned{host.data + "/snapshots/warm"};
    for (int i = 0; i < 12; ++i) {
      const auto name = "x" + std::to_string(i);
      const auto box = host.data + "/sandboxes/" + name;
      if (toss()) {
        host.add_sandbox(name);
        owned.insert(box);
      } else {
        write(box + "/qmp.sock");
        orphans.insert(box);
      }
      if (toss()) {
        write(host.fast + "/forkfleet-" + name + "/vm", box);
        (owned.contains(box) ? owned : orphans)
          .insert(host.fast + "/forkfleet-" + name);
      }
      if (toss()) {
        write(host.data + "/staging/" + name + "/memory.bin");
        orphans.insert(host.data + "/staging/" + name);
      }
      const auto mark = host.data + "/operations/" + name + ".pause";
      if (toss())
        write(mark);
      if (toss()) {
        write(host.data + "/operations/" + name + ".json", "{}");
        owned.insert(host.data + "/operations/" + name + ".json");
      }
      if (fs::exists(mark))
        (owned.contains(host.data + "/operations/" + name + ".json") ? owned
                                                                     : orphans)
          .insert(mark);
    }
    CAPTURE(round);
    CHECK(found(host.check(), ledger_state::orphan) == orphans);
    CHECK(host.check(true).repaired == orphans.size());
    for (const auto& path : orphans)
      CHECK_FALSE(fs::exists(path));
    for (const auto& path : owned)
      CHECK(fs::exists(path));
    CHECK(found(host.check(true), ledger_state::orphan).empty());
  }
}
