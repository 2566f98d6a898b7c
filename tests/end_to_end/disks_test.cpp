// SPDX-License-Identifier: Apache-2.0
// Guests with disks: a branch of a branch of a branch, each line with its own
// files and memory; a host that is full; nodes and VMs that are killed.
#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <sstream>
#include <sys/wait.h>

#include <catch2/catch.hpp>

#include "node/storage/file.hpp"
#include "tests/support/disk_fleet.hpp"
#include "tests/support/skip.hpp"

using namespace forkfleet;
using namespace forkfleet::test;
using namespace std::chrono_literals;

namespace {

/// Writes a word where only this line may see it: into a file of its own, on
/// the disk or still on its way there, and into memory.
void leave_mark(disk_fleet& fleet, const std::string& name, bool is_synced) {
  fleet.run(name, "echo " + name + " >/disk/" + name + " && echo " + name
                    + " >>/root/line" + (is_synced ? " && sync" : ""));
}

std::vector<std::string> words_of(const std::string& text) {
  auto stream = std::istringstream{text};
  return {std::istream_iterator<std::string>{stream}, {}};
}

/// The guest's disk, not its page cache, holds exactly the marks of its line;
/// so does its memory.
void check_line(disk_fleet& fleet, const std::string& name,
                std::vector<std::string> line) {
  CAPTURE(name);
  CHECK(words_of(fleet.run(name, "cat /root/line")) == line);
  const auto files =
    words_of(fleet.run(name, "sync; echo 3 >/proc/sys/vm/drop_caches; cd /disk;"
                             "for f in *; do [ -f $f ] && cat $f; done; :"));
  line.emplace_back("base");
  std::sort(line.begin(), line.end());
  CHECK(files == line);
}

/// A snapshot of `from` and two children of it, by the tool.
void branch_and_fork(disk_fleet& fleet, const std::string& from,
                     const std::string& tag, const std::string& children) {
  // The keeper resumes who was forgotten: that must not be needed.
  const auto report = fleet.take(from, tag);
  CHECK(report.warnings == std::vector<std::string>{});
  fleet.tool({"fork", tag, "--count", "2", "--name", children});
}

void fill(const std::string& directory, uint64_t leave) {
  const auto path = directory + "/ballast";
  const auto free = std::filesystem::space(directory).available;
  REQUIRE(free > leave);
  REQUIRE(
    run_program("fallocate -l " + std::to_string(free - leave) + " " + path));
}

const std::vector<std::string> killing_places = {
  "stage.pause", "stage.capture",        "stage.resume", "seal.begun",
  "seal.hashed", "seal.manifest_synced", "seal.renamed"};

} // namespace

TEST_CASE_METHOD(disk_fleet,
                 "each line of branches has its own files and memory",
                 "[end_to_end][vm][disks][safety]") {
  if (!can_run())
    return;
  start_guest();
  leave_mark(*this, "source", true);
  branch_and_fork(*this, "source", "first", "a");
  for (const auto* name : {"a-1", "a-2"})
    leave_mark(*this, name, false);
  branch_and_fork(*this, "a-1", "second", "b");
  for (const auto* name : {"b-1", "b-2"})
    leave_mark(*this, name, name == std::string{"b-1"});
  branch_and_fork(*this, "b-1", "third", "c");
  for (const auto* name : {"c-1", "c-2"})
    leave_mark(*this, name, false);
  run("source", "echo later >/disk/later; echo later >>/root/line; sync");
  const auto lines = std::map<std::string, std::vector<std::string>>{
    {"source", {"source", "later"}},
    {"a-1", {"source", "a-1"}},
    {"a-2", {"source", "a-2"}},
    {"b-1", {"source", "a-1", "b-1"}},
    {"b-2", {"source", "a-1", "b-2"}},
    {"c-1", {"source", "a-1", "b-1", "c-1"}},
    {"c-2", {"source", "a-1", "b-1", "c-2"}}};
  auto written = std::vector<std::string>{};
  for (const auto& [name, line] : lines) {
    check_line(*this, name, line);
    const auto layers = written_layers(name);
    CHECK(layers.size() == 1);
    written.insert(written.end(), layers.begin(), layers.end());
  }
  // No two of them write one file.
  std::sort(written.begin(), written.end());
  CHECK(std::adjacent_find(written.begin(), written.end()) == written.end());
  CHECK(is_untouched());
  // A snapshot stays for those that run on it, and for nobody else.
  tool({"flatten", "third"});
  const auto refused = ask<done>(remove_request{.tag = {"second"}}, 30s);
  REQUIRE_FALSE(refused);
  CHECK_THAT(refused.error().message, Catch::Contains("runs on second"));
  for (const auto* name : {"source", "a-1", "b-1", "b-2"})
    CHECK(ask<done>(stop_request{.sandbox = {name}}, 30s));
  tool({"rm", "second"});
  check_line(*this, "a-2", lines.at("a-2"));
  check_line(*this, "c-2", lines.at("c-2"));
  tool({"fork", "third", "--count", "1", "--name", "d"});
  check_line(*this, "d", {"source", "a-1", "b-1"});
  kill_node("h1");
  check_nothing_is_left("h1");
}

TEST_CASE("a guest on a full host stands until there is space",
          "[end_to_end][vm][disks][safety]") {
  const auto kind = GENERATE(disk_kind::ext4, disk_kind::tmpfs);
  CAPTURE(to_string(kind));
  auto disk = scratch_disk::make(kind, 512ull << 20);
  if (!disk)
    return skip(to_string(disk.error()));
  if (!disk_fleet::can_run())
    return;
  auto fleet = disk_fleet{{"h1"}, (*disk)->path()};
  fleet.start_guest();
  // More than what ext4 may keep for root and is left, together.
  const auto many = std::string{
    "for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do cat /root/piece; done"};
  fleet.run("source", "yes forkfleet | head -c 1000000 >/root/one && cat "
                      "/root/one /root/one /root/one >/root/piece");
  fill((*disk)->path(), 8ull << 20);
  fleet.begin("source",
              "(" + many + ") >/disk/big && sync && touch /root/done");
  auto seen = sandbox_info{};
  REQUIRE(eventually([&] {
    seen = fleet.sandbox("source");
    return seen.state == sandbox_state::paused;
  }));
  CHECK_THAT(seen.note, Catch::Contains("disk full")
                          && Catch::Contains(fleet.data_of("h1"))
                          && Catch::Contains(" bytes"));
  const auto refused = fleet.branch(
    {.operation = {"op-full"}, .sandbox = {"source"}, .tag = {"full"}});
  REQUIRE(refused);
  CHECK(refused->outcome.code == ec::disk_full);
  CHECK(refused->pause == 0us);
  std::filesystem::remove((*disk)->path() + "/ballast");
  REQUIRE(eventually(
    [&] { return fleet.sandbox("source").state == sandbox_state::running; }));
  CHECK(fleet.sandbox("source").note.empty());
  REQUIRE(
    eventually([&] { return fleet.succeeds("source", "cat /root/done"); }));
  const auto compare = "echo 3 >/proc/sys/vm/drop_caches; (" + many
                       + ") | cmp - /disk/big && echo same";
  CHECK(words_of(fleet.run("source", compare))
        == std::vector<std::string>{"same"});
  static_cast<void>(fleet.take("source", "after"));
  fleet.tool({"fork", "after", "--count", "1", "--name", "kid"});
  CHECK(words_of(fleet.run("kid", compare))
        == std::vector<std::string>{"same"});
}

TEST_CASE_METHOD(disk_fleet, "a node killed in a branch leaves whole disks",
                 "[end_to_end][vm][disks][safety]") {
  if (!can_run())
    return;
  start_guest();
  auto line = std::vector<std::string>{};
  for (const auto& place : killing_places) {
    CAPTURE(place);
    const auto word = "at-" + place.substr(place.find('.') + 1);
    kill_node("h1");
    start_node("h1", "kill:" + place);
    REQUIRE(eventually([this] { return is_ready(); }));
    run("source", "echo " + word + " >/disk/" + word + "; echo " + word
                    + " >>/root/line");
    line.push_back(word);
    static_cast<void>(
      ask<branch_report>(branch_request{.operation = {"op-" + word},
                                        .sandbox = {"source"},
                                        .tag = {word},
                                        .deadline = 5s},
                         5s));
    const int status = node("h1").wait(60s);
    CHECK(WIFSIGNALED(status));
    start_node("h1");
    REQUIRE(eventually([this] { return is_ready(); }));
    CHECK(names_in("h1", "staging").empty());
  }
  check_line(*this, "source", line);
  static_cast<void>(take("source", "after"));
  tool({"fork", "after", "--count", "1", "--name", "kid"});
  check_line(*this, "kid", line);
  check_line(*this, "source", line);
  kill_node("h1");
  check_nothing_is_left("h1");
}

TEST_CASE_METHOD(disk_fleet, "a VM killed in a branch leaves nothing",
                 "[end_to_end][vm][disks][safety]") {
  if (!can_run())
    return;
  const std::string place =
    GENERATE("stage.track", "stage.capture", "seal.begun");
  CAPTURE(place);
  start_guest();
  kill_node("h1");
  start_node("h1", "stop:" + place);
  REQUIRE(eventually([this] { return is_ready(); }));
  const auto vm = static_cast<pid_t>(sandbox("source").pid);
  auto asking =
    program_run{{program_path("forkfleet"), "branch", "source", "--tag", "lost",
                 "--coordinator", "127.0.0.1:" + std::to_string(port())},
                log_of("asking")};
  int status = 0;
  const auto pid = node("h1").pid();
  REQUIRE(eventually(
    [&] { return ::waitpid(pid, &status, WUNTRACED | WNOHANG) == pid; }));
  REQUIRE(WIFSTOPPED(status));
  ::kill(vm, SIGKILL);
  ::kill(pid, SIGCONT);
  asking.wait(120s);
  REQUIRE(eventually(
    [this] { return sandbox("source").state != sandbox_state::running; }));
  CHECK(names_in("h1", "staging").empty());
  const bool is_sealed = !snapshots().empty();
  CHECK(is_sealed == (place == "seal.begun"));
  kill_node("h1");
  check_nothing_is_left("h1");
  start_node("h1");
  REQUIRE(eventually([this] { return is_back("h1"); }));
  if (!is_sealed)
    return;
  // What was frozen is whole, though its VM is no more.
  tool({"fork", "lost", "--count", "1", "--name", "kid"});
  CHECK(words_of(run("kid", "cat /disk/base"))
        == std::vector<std::string>{"base"});
}

TEST_CASE("an archive takes a disk to another host",
          "[end_to_end][vm][disks]") {
  if (!disk_fleet::can_run())
    return;
  auto fleet = disk_fleet{{"h1", "h2"}};
  fleet.start_guest();
  leave_mark(fleet, "source", true);
  static_cast<void>(fleet.take("source", "moved"));
  fleet.tool({"export", "moved", "--file", "moved.ffsnap"});
  const auto archives = [&](const char* host) {
    return fleet.data_of(host) + "/archives/moved.ffsnap";
  };
  std::filesystem::create_directories(fleet.data_of("h2") + "/archives");
  std::filesystem::copy_file(archives("h1"), archives("h2"));
  fleet.tool({"rm", "moved"});
  fleet.tool({"import", "moved.ffsnap", "--host", "h2"});
  fleet.tool({"fork", "moved", "--count", "1", "--name", "far"});
  CHECK(fleet.sandbox("far").host == host_name{"h2"});
  check_line(fleet, "far", {"source"});
}
