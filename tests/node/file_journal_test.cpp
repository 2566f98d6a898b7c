// SPDX-License-Identifier: Apache-2.0
#include "node/storage/file_journal.hpp"

#include <filesystem>
#include <fstream>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "node/storage/file.hpp"
#include "tests/support/scratch.hpp"
#include "tests/support/skip.hpp"

using namespace forkfleet;
using namespace forkfleet::test;

namespace {

struct journal_fixture {
  scratch_directory home;
  data_directory_ptr data = *data_directory::open(home.path() + "/node");
  std::shared_ptr<file_journal> journal = *file_journal::open_in(data);
  std::vector<std::string> problems;

  void restart() {
    journal.reset();
    journal = *file_journal::open_in(data);
  }

  static branch_request request(const std::string& operation) {
    return {.operation = {operation},
            .sandbox = {"sandbox-1"},
            .tag = {"snap-1"},
            .deadline = milliseconds{5000}};
  }

  static branch_report report(const std::string& operation) {
    return {.operation = {operation},
            .sandbox = {"sandbox-1"},
            .outcome = {ec::disk_full, "12 are missing"},
            .stages = {{stage::reserve, microseconds{1}, microseconds{2}}},
            .warnings = {"a \"word\"\n"}};
  }

  std::vector<journal_entry> load() { return journal->load(problems); }

  std::vector<stage> stages_after_restart() {
    restart();
    const auto entries = load();
    std::vector<stage> result;
    for (const auto& timing : entries.at(0).report.stages)
      result.push_back(timing.which);
    return result;
  }

  void put(const std::string& name, const std::string& text) {
    std::ofstream{data->operations() + "/" + name} << text;
  }
};

} // namespace

TEST_CASE_METHOD(journal_fixture, "an intent survives a restart",
                 "[storage][file_journal]") {
  REQUIRE(journal->open(request("op-1")));
  restart();
  const auto entries = load();
  REQUIRE(entries.size() == 1);
  CHECK(entries[0].request == request("op-1"));
  CHECK_FALSE(entries[0].ended);
  CHECK(entries[0].report.operation == operation_id{"op-1"});
  CHECK(entries[0].report.stages.empty());
  CHECK(problems.empty());
}

TEST_CASE_METHOD(journal_fixture, "an outcome survives a restart",
                 "[storage][file_journal]") {
  REQUIRE(journal->open(request("op-1")));
  REQUIRE(journal->close(report("op-1")));
  restart();
  CHECK(load()
        == std::vector{journal_entry{request("op-1"), true, report("op-1")}});
}

TEST_CASE_METHOD(journal_fixture, "a guest that may stand is never forgotten",
                 "[storage][file_journal][safety]") {
  REQUIRE(journal->open(request("op-1")));
  CHECK(stages_after_restart().empty());
  REQUIRE(journal->mark_pause({"op-1"}, true));
  CHECK(stages_after_restart() == std::vector{stage::pause});
  REQUIRE(journal->mark_pause({"op-1"}, false));
  CHECK(stages_after_restart() == std::vector{stage::pause, stage::resume});
}

TEST_CASE_METHOD(journal_fixture, "a pause mark outlives a killed process",
                 "[storage][file_journal][safety]") {
  REQUIRE(journal->open(request("op-1")));
  const auto child = ::fork();
  if (child == 0) {
    static_cast<void>(journal->mark_pause({"op-1"}, true));
    ::kill(::getpid(), SIGKILL);
  }
  REQUIRE(::waitpid(child, nullptr, 0) == child);
  CHECK(stages_after_restart() == std::vector{stage::pause});
}

TEST_CASE_METHOD(journal_fixture, "an operation is opened once",
                 "[storage][file_journal][safety]") {
  REQUIRE(journal->open(request("op-1")));
  CHECK(journal->open(request("op-1")).error().code == ec::branch_in_progress);
  REQUIRE(journal->close(report("op-1")));
  restart();
  CHECK(journal->open(request("op-1")).error().code == ec::invalid_request);
  CHECK(journal->open(request("../x")).error().code == ec::invalid_request);
}

TEST_CASE_METHOD(journal_fixture, "what was never opened cannot be changed",
                 "[storage][file_journal]") {
  CHECK(journal->close(report("op-1")).error().code == ec::unknown_operation);
  CHECK(journal->mark_pause({"op-1"}, true).error().code
        == ec::unknown_operation);
  REQUIRE(journal->open(request("op-1")));
  REQUIRE(journal->close(report("op-1")));
  CHECK(journal->mark_pause({"op-1"}, true).error().code
        == ec::unknown_operation);
}

TEST_CASE_METHOD(journal_fixture, "an operation of an earlier life can end",
                 "[storage][file_journal]") {
  REQUIRE(journal->open(request("op-1")));
  REQUIRE(journal->mark_pause({"op-1"}, true));
  restart();
  REQUIRE(journal->mark_pause({"op-1"}, false));
  REQUIRE(journal->close(report("op-1")));
  CHECK(load().at(0).ended);
  CHECK(list_directory(data->operations())
        == std::vector<std::string>{"op-1.json"});
}

TEST_CASE_METHOD(journal_fixture, "entries come in the order of their writing",
                 "[storage][file_journal]") {
  for (const auto* each : {"op-3", "op-1", "op-2"})
    REQUIRE(journal->open(request(each)));
  REQUIRE(journal->close(report("op-3")));
  restart();
  std::vector<std::string> order;
  for (const auto& entry : load())
    order.push_back(entry.request.operation.value);
  CHECK(order == std::vector<std::string>{"op-1", "op-2", "op-3"});
}

TEST_CASE_METHOD(journal_fixture, "only the newest ended operations are kept",
                 "[storage][file_journal]") {
  constexpr auto most = operation_journal::entries_max;
  REQUIRE(journal->open(request("running")));
  for (std::size_t i = 0; i < most + 3; ++i) {
    REQUIRE(journal->open(request("op-" + std::to_string(i))));
    REQUIRE(journal->close(report("op-" + std::to_string(i))));
  }
  restart();
  const auto entries = load();
  REQUIRE(entries.size() == most + 1);
  CHECK(entries.front().request.operation.value == "running");
  CHECK(entries[1].request.operation.value == "op-3");
  CHECK(journal->open(request("op-0")));
}

TEST_CASE_METHOD(journal_fixture, "files that cannot be read are set aside",
                 "[storage][file_journal][safety]") {
  REQUIRE(journal->open(request("op-1")));
  const auto* const text =
    GENERATE("", "{", "null", "{\"sequence\": 1}", "\xff\xfe\x00",
             "{\"sequence\": -1, \"entry\": {}}", "[[[[[[[[");
  put("torn.json", text);
  restart();
  CHECK(load().size() == 1);
  REQUIRE(problems.size() == 1);
  CHECK(problems[0].find("torn.json") != std::string::npos);
  CHECK(path_exists(data->operations() + "/damaged/torn.json"));
  restart();
  CHECK(load().size() == 1);
  CHECK(problems.size() == 1);
}

TEST_CASE_METHOD(journal_fixture,
                 "an entry that cannot be read today stays for tomorrow",
                 "[storage][file_journal][safety]") {
  REQUIRE(journal->open(request("op-1")));
  REQUIRE(journal->mark_pause({"op-1"}, true));
  const auto path = data->operations() + "/op-1.json";
  std::filesystem::rename(path, path + ".kept");
  // A link is not read.
  std::filesystem::create_symlink(path + ".kept", path);
  restart();
  CHECK(load().empty());
  REQUIRE(problems.size() == 1);
  CHECK(problems[0].find("op-1.json") != std::string::npos);
  CHECK(journal->open(request("op-1")).error().code == ec::io_failed);
  std::filesystem::rename(path + ".kept", path);
  restart();
  const auto entries = load();
  REQUIRE(entries.size() == 1);
  // What it says of the guest was kept, too.
  CHECK(entries[0].report.stages.size() == 1);
}

TEST_CASE_METHOD(journal_fixture, "a file under a wrong name is set aside",
                 "[storage][file_journal]") {
  REQUIRE(journal->open(request("op-1")));
  std::filesystem::copy_file(data->operations() + "/op-1.json",
                             data->operations() + "/op-2.json");
  restart();
  CHECK(load().size() == 1);
  CHECK(problems.size() == 1);
}

TEST_CASE_METHOD(journal_fixture, "the files set aside are limited",
                 "[storage][file_journal]") {
  for (std::size_t i = 0; i < file_journal::damaged_max + 5; ++i)
    put("bad-" + std::to_string(i) + ".json", "?");
  restart();
  CHECK(load().empty());
  CHECK(problems.size() == file_journal::damaged_max + 5);
  CHECK(list_directory(data->operations() + "/damaged")->size()
        == file_journal::damaged_max);
  CHECK(list_directory(data->operations())->size() == 1);
}

TEST_CASE_METHOD(journal_fixture, "unfinished writes are cleared",
                 "[storage][file_journal]") {
  put("op-1.json.unfinished", "{");
  put("op-1.pause", "1");
  restart();
  CHECK(load().empty());
  CHECK(problems.empty());
  CHECK(list_directory(data->operations())->empty());
}

TEST_CASE("a journal that cannot write says where and forgets the intent",
          "[storage][file_journal][safety]") {
  const auto disk = scratch_disk::make(disk_kind::tmpfs, 16u << 20);
  if (!disk)
    return skip(disk.error().message);
  const auto data = data_directory::open((*disk)->path() + "/node");
  const auto journal = *file_journal::open_in(*data);
  REQUIRE(run_program("mount --bind -o ro " + (*data)->operations() + " "
                      + (*data)->operations()));
  const auto opened = journal->open(journal_fixture::request("op-1"));
  REQUIRE(run_program("umount " + (*data)->operations()));
  REQUIRE_FALSE(opened);
  CHECK(opened.error().code == ec::io_failed);
  CHECK(opened.error().message.find((*data)->operations())
        != std::string::npos);
  CHECK(journal->open(journal_fixture::request("op-1")));
}
