// SPDX-License-Identifier: Apache-2.0
#include "coordinator/audit_log.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sys/stat.h>
#include <vector>

#include <catch2/catch.hpp>

#include "actors/schema/json.hpp"

using namespace forkfleet;

namespace {

namespace fs = std::filesystem;

struct audit_fixture {
  audit_fixture() {
    auto name = (fs::temp_directory_path() / "forkfleet-audit-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    directory = name;
  }
  ~audit_fixture() {
    auto ignored = std::error_code{};
    fs::remove_all(directory, ignored);
  }
  std::string path() const { return (directory / "audit.jsonl").string(); }

  void write(int count, const audit_limits& limits = {}) {
    const auto log = audit_log::open(path(), limits);
    REQUIRE(log);
    for (int i = 0; i < count; ++i)
      (*log)->write({.event = "asked",
                     .subject = "client:ann",
                     .operation = "op-" + std::to_string(next++)});
  }

  static std::vector<audit_record> read(const std::string& path) {
    auto result = std::vector<audit_record>{};
    auto in = std::ifstream{path};
    for (auto line = std::string{}; std::getline(in, line);) {
      const auto value = schema::parse_json(line);
      const auto record = value ? schema::from_json<audit_record>(*value)
                                : tl::unexpected{value.error()};
      if (record)
        result.push_back(*record);
    }
    return result;
  }

  fs::path directory;
  int next = 0;
};

} // namespace

TEST_CASE_METHOD(audit_fixture, "lines are in order and survive the end",
                 "[coordinator][audit_log]") {
  write(3);
  write(2);
  const auto lines = read(path());
  REQUIRE(lines.size() == 5);
  CHECK(lines.front().operation == "op-0");
  CHECK(lines.back().operation == "op-4");
}

TEST_CASE_METHOD(audit_fixture, "only the owner reads the log",
                 "[coordinator][audit_log][safety]") {
  std::ofstream{path()} << "";
  ::chmod(path().c_str(), 0644);
  write(1);
  struct stat about = {};
  REQUIRE(::stat(path().c_str(), &about) == 0);
  CHECK((about.st_mode & 0777) == 0600);
}

TEST_CASE_METHOD(audit_fixture, "a half line does not swallow the next one",
                 "[coordinator][audit_log][safety]") {
  write(1);
  std::ofstream{path(), std::ios::app} << R"({"event": "ask)";
  write(1);
  CHECK(read(path()).size() == 2);
}

TEST_CASE_METHOD(audit_fixture, "the log takes no more than its files",
                 "[coordinator][audit_log][safety]") {
  const auto limits = audit_limits{.file_bytes_max = 2000, .files_max = 3};
  for (int i = 0; i < 40; ++i)
    write(2, limits);
  auto sizes = std::vector<uint64_t>{};
  for (const auto& entry : fs::directory_iterator{directory})
    sizes.push_back(entry.file_size());
  CHECK(sizes.size() == 3);
  for (const auto bytes : sizes)
    CHECK(bytes <= limits.file_bytes_max);
  CHECK(read(path()).back().operation == "op-79");
}

TEST_CASE_METHOD(audit_fixture, "what waits is bounded, and the rest counted",
                 "[coordinator][audit_log][safety]") {
  write(20'000, {.waiting_max = 16});
  uint64_t seen = 0;
  for (const auto& x : read(path()))
    seen += x.event == "dropped" ? x.count : 1;
  CHECK(seen == 20'000);
}

TEST_CASE_METHOD(audit_fixture, "no value can forge a line",
                 "[coordinator][audit_log][safety]") {
  {
    const auto log = audit_log::open(path(), {});
    REQUIRE(log);
    (*log)->write({.event = "refused",
                   .target = "x\"}\n{\"event\": \"forged\"}\n",
                   .outcome = {ec::not_permitted, std::string(5000, 'y')}});
  }
  const auto lines = read(path());
  REQUIRE(lines.size() == 1);
  CHECK(lines.front().event == "refused");
  CHECK(lines.front().outcome.message.size() < 600);
}
