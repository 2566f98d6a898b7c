// SPDX-License-Identifier: Apache-2.0
#include "node/storage/sandbox_records.hpp"

#include <filesystem>
#include <fstream>
#include <sys/resource.h>

#include <catch2/catch.hpp>

#include "node/storage/file.hpp"
#include "tests/support/scratch.hpp"

using namespace forkfleet;
using namespace forkfleet::test;

namespace {

struct records_fixture {
  scratch_directory home;
  sandbox_records records{*data_directory::open(home.path() + "/node")};
  std::vector<std::string> problems;

  static sandbox_record record(const std::string& id) {
    config::sandbox_section spec{.name = {id}, .host = {"host-1"}};
    spec.kernel = "/boot/vmlinuz";
    spec.memory = {512ull << 20};
    spec.disks = {{.path = "/disks/a.raw", .format = "raw", .readonly = true}};
    spec.qemu_arguments = {"-smbios", "type=1,serial=\"7\""};
    return {.id = {id},
            .origin = sandbox_origin::restored,
            .spec = spec,
            .parent = {"snap-1"},
            .created_at = microseconds{1234567},
            .branches = 3};
  }
};

} // namespace

TEST_CASE_METHOD(records_fixture, "a record comes back as it was saved",
                 "[storage][sandbox_records]") {
  REQUIRE(records.save(record("b")));
  REQUIRE(records.save(record("a")));
  CHECK(records.load_all(problems) == std::vector{record("a"), record("b")});
  CHECK(problems.empty());
}

TEST_CASE_METHOD(records_fixture, "a record is replaced by a newer one",
                 "[storage][sandbox_records]") {
  REQUIRE(records.save(record("a")));
  auto newer = record("a");
  newer.branches = 4;
  REQUIRE(records.save(newer));
  CHECK(records.load_all(problems) == std::vector{newer});
}

TEST_CASE_METHOD(records_fixture, "a removed sandbox leaves no files",
                 "[storage][sandbox_records]") {
  REQUIRE(records.save(record("a")));
  std::ofstream{records.directory({"a"}) + "/console.log"} << "text";
  REQUIRE(records.remove({"a"}));
  CHECK_FALSE(path_exists(records.directory({"a"})));
  CHECK(records.remove({"a"}));
  CHECK(records.load_all(problems)->empty());
  CHECK(problems.empty());
}

TEST_CASE_METHOD(records_fixture, "a record that cannot be read is left alone",
                 "[storage][sandbox_records][safety]") {
  REQUIRE(records.save(record("a")));
  const auto path = records.directory({"a"}) + "/sandbox.json";
  const auto* const text = GENERATE("", "{", "{}", "\xff");
  std::ofstream{path} << text;
  std::vector<unread_record> unread;
  CHECK(records.load_all(problems, &unread)->empty());
  REQUIRE(problems.size() == 1);
  CHECK(problems[0].find(path) == 0);
  CHECK(path_exists(path));
  // Its VM may run: its name is not free.
  REQUIRE(unread.size() == 1);
  CHECK(unread[0].place.value == "a");
}

TEST_CASE_METHOD(records_fixture,
                 "without a descriptor left no sandbox is taken for none",
                 "[storage][sandbox_records][safety]") {
  REQUIRE(records.save(record("a")));
  rlimit before = {};
  ::getrlimit(RLIMIT_NOFILE, &before);
  auto none = before;
  none.rlim_cur = 0;
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
  const auto loaded = records.load_all(problems);
  const auto one = records.load({"a"});
  ::setrlimit(RLIMIT_NOFILE, &before);
  CHECK_FALSE(loaded);
  CHECK_FALSE(one);
  CHECK(records.load_all(problems) == std::vector{record("a")});
}

TEST_CASE_METHOD(records_fixture,
                 "a directory whose record cannot be looked for stays",
                 "[storage][sandbox_records][safety]") {
  // Its record's name leads nowhere that can be looked at.
  std::ofstream{records.directory({"a"})} << "no directory";
  std::vector<unread_record> unread;
  CHECK(records.load_all(problems, &unread)->empty());
  CHECK(path_exists(records.directory({"a"})));
  CHECK(unread.size() == 1);
}

TEST_CASE_METHOD(records_fixture, "a directory without a record is removed",
                 "[storage][sandbox_records]") {
  const auto path = records.directory({"a"});
  std::filesystem::create_directories(path + "/deeper");
  CHECK(records.load_all(problems)->empty());
  CHECK(problems.size() == 1);
  CHECK_FALSE(path_exists(path));
}

TEST_CASE_METHOD(records_fixture, "a sandbox' name is no path",
                 "[storage][sandbox_records][safety]") {
  CHECK(records.save(record("../a")).error().code == ec::invalid_request);
  CHECK(records.remove({".."}).error().code == ec::invalid_request);
  CHECK(records.remove({""}).error().code == ec::invalid_request);
}
