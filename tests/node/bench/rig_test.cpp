// SPDX-License-Identifier: Apache-2.0
#include "node/bench/rig.hpp"

#include <csignal>
#include <fstream>
#include <sys/wait.h>
#include <tuple>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "node/bench/results_folder.hpp"
#include "tests/support/scratch.hpp"
#include "tests/support/skip.hpp"

using namespace forkfleet;
using namespace forkfleet::bench;
using namespace forkfleet::test;

namespace {

constexpr const char* dirty_bytes = "/proc/sys/vm/dirty_background_bytes";
constexpr const char* dirty_ratio = "/proc/sys/vm/dirty_background_ratio";

/// A file that stands for a setting of the kernel.
struct setting_fixture {
  setting_fixture() { put("10\n"); }

  void put(const std::string& text) const { std::ofstream(path()) << text; }
  std::string path() const { return scratch.path() + "/setting"; }
  std::string record() const { return scratch.path() + "/record"; }
  std::string text() const { return read_setting(path()).value_or("?"); }

  scratch_directory scratch = {};
};

rig_plan small_plan(const std::string& file_system) {
  return {.file_system = file_system,
          .disk_bytes = 400u << 20,
          .memory_disk_bytes = 16u << 20,
          .dirty_background_bytes = 64u << 20,
          .probe_bytes = 0};
}

std::string both_settings() {
  return read_setting(dirty_bytes).value_or("?") + " "
         + read_setting(dirty_ratio).value_or("?");
}

} // namespace

TEST_CASE_METHOD(setting_fixture, "a setting is put back when a run ends",
                 "[node][bench]") {
  {
    auto settings = kernel_settings::open(record());
    REQUIRE(settings);
    REQUIRE(settings->change(path(), "20"));
    CHECK(text() == "20");
    CHECK_FALSE(kernel_settings::open(record())); // one run at a time
  }
  CHECK(text() == "10");
}

TEST_CASE_METHOD(setting_fixture, "the newest change is undone first",
                 "[node][bench]") {
  auto settings = kernel_settings::open(record());
  REQUIRE(settings);
  REQUIRE(settings->change(path(), "20"));
  REQUIRE(settings->change(path(), "30", {path(), "20"}));
  CHECK(settings->put_back().empty());
  CHECK(text() == "10");
}

TEST_CASE_METHOD(setting_fixture,
                 "what a killed run left is put back at the next start",
                 "[node][bench][safety]") {
  const auto pid = fork();
  if (pid == 0) {
    auto settings = kernel_settings::open(record());
    if (settings && settings->change(path(), "20"))
      raise(SIGKILL);
    _exit(1);
  }
  int ended = 0;
  REQUIRE(waitpid(pid, &ended, 0) == pid);
  REQUIRE(WIFSIGNALED(ended));
  CHECK(text() == "20");
  std::size_t found = 0;
  const auto settings = kernel_settings::open(record(), &found);
  REQUIRE(settings);
  CHECK(found == 1);
  CHECK(text() == "10");
}

TEST_CASE_METHOD(setting_fixture, "a setting that is gone stops nobody",
                 "[node][bench]") {
  auto settings = kernel_settings::open(record());
  REQUIRE(settings);
  REQUIRE(settings->change(path(), "20"));
  unlink(path().c_str());
  CHECK(settings->put_back().empty());
}

TEST_CASE("of several values the chosen one is read", "[node][bench]") {
  scratch_directory scratch;
  std::ofstream(scratch.path() + "/x") << "none [mq-deadline] bfq\n";
  CHECK(read_setting(scratch.path() + "/x") == "mq-deadline");
}

TEST_CASE("the rig leaves nothing behind", "[node][bench][safety]") {
  const auto* file_system = GENERATE("ext4", "xfs", "btrfs");
  if (geteuid() == 0) // what a killed run left is not ours to judge
    std::ignore = kernel_settings::open(rig_record);
  const auto before = both_settings();
  std::string device;
  {
    const auto made = rig::make(small_plan(file_system));
    if (!made)
      return skip(made.error().message);
    std::ofstream((*made)->disk() + "/x") << "x";
    CHECK(access(((*made)->disk() + "/x").c_str(), F_OK) == 0);
    CHECK(both_settings() != before);
    const auto words = (*made)->facts().device;
    device = words.substr(0, words.find(' '));
    CHECK(access(("/sys/block/" + device + "/loop").c_str(), F_OK) == 0);
  }
  CHECK(both_settings() == before);
  CHECK(access(("/sys/block/" + device + "/loop").c_str(), F_OK) != 0);
}

TEST_CASE("results are replaced whole", "[node][bench]") {
  scratch_directory scratch;
  const auto folder = results_folder::open(scratch.path() + "/a/b");
  REQUIRE(folder);
  REQUIRE(folder->keep("x", "one"));
  REQUIRE(folder->keep("x", "two"));
  CHECK(read_setting(scratch.path() + "/a/b/x") == "two");
  CHECK(access((scratch.path() + "/a/b/x.unfinished").c_str(), F_OK) != 0);
}
