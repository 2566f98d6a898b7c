// SPDX-License-Identifier: Apache-2.0
#include "tests/support/disk_fleet.hpp"

#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sys/stat.h>
#include <sys/wait.h>

#include <catch2/catch.hpp>

#include "node/agent/guest_agent.hpp"
#include "node/storage/file.hpp"
#include "node/storage/sealed_disks.hpp"
#include "tests/support/skip.hpp"

namespace forkfleet::test {

using namespace std::chrono_literals;

namespace {

deadline_point in(std::chrono::seconds limit) {
  return std::chrono::steady_clock::now() + limit;
}

std::string with_disk(const std::string& sandbox, const std::string& path) {
  return sandbox + "    disks:\n      - path: " + path
         + "\n        format: raw\n";
}

std::string text_of(const std::string& path) {
  auto file = std::ifstream{path};
  return {std::istreambuf_iterator<char>{file}, {}};
}

agent_program script_of(const std::string& script) {
  return {.path = "/bin/sh", .arguments = {"-c", script}};
}

} // namespace

disk_base::disk_base() {
  const auto fd = open_file(path(), O_RDWR | O_CREAT);
  REQUIRE(fd);
  REQUIRE(resize_file(fd->get(), bytes, path()));
  const auto root = home_.path() + "/root";
  std::filesystem::create_directory(root);
  std::ofstream{root + "/base"} << "base\n";
  REQUIRE(run_program("mke2fs -q -t ext4 -d " + root + " " + path()));
  const auto hash = hash_layer(path());
  REQUIRE(hash);
  hash_ = hash->hash;
}

bool disk_base::is_untouched() const {
  const auto now = hash_layer(path());
  return now && now->hash == hash_;
}

disk_fleet::disk_fleet(const std::vector<std::string>& hosts,
                       const std::string& data_base)
  : fleet_fixture{
    {.hosts = hosts,
     .sandboxes = with_disk(agent_sandbox("source", hosts.front()), path()),
     .data_base = data_base}} {}

bool disk_fleet::can_run() {
  const bool is_there = !agent_sandbox("source", "h1").empty();
  if (!is_there)
    skip("no example guest with an agent; run ./dev guest");
  return is_there;
}

void disk_fleet::start_guest() {
  start();
  REQUIRE(eventually([this] { return succeeds("source", "cat /disk/base"); }));
}

std::string disk_fleet::run(const std::string& name,
                            const std::string& script) {
  CAPTURE(name, script);
  auto agent = guest_agent::connect(sandbox(name).agent, in(60s));
  REQUIRE(agent);
  const auto ended = agent->run(script_of(script), in(60s));
  REQUIRE(ended);
  CAPTURE(ended->output, ended->errors);
  CHECK(ended->status == 0);
  return ended->output;
}

void disk_fleet::begin(const std::string& name, const std::string& script) {
  auto agent = guest_agent::connect(sandbox(name).agent, in(60s));
  REQUIRE(agent);
  REQUIRE(agent->start(script_of(script), in(20s)));
}

bool disk_fleet::succeeds(const std::string& name, const std::string& script) {
  auto agent = guest_agent::connect(sandbox(name).agent, in(5s));
  if (!agent)
    return false;
  const auto ended = agent->run(script_of(script), in(20s));
  return ended && ended->status == 0;
}

void disk_fleet::tool(std::vector<std::string> words) {
  const auto verb = words.front();
  words.insert(words.begin(), program_path("forkfleet"));
  words.insert(words.end(),
               {"--coordinator", "127.0.0.1:" + std::to_string(port())});
  const auto log = log_of("tool-" + verb);
  auto ended = program_run{words, log};
  const int status = ended.wait(180s);
  INFO(verb << ": " << text_of(log));
  REQUIRE(WIFEXITED(status));
  REQUIRE(WEXITSTATUS(status) == 0);
}

branch_report disk_fleet::take(const std::string& name,
                               const std::string& tag) {
  const auto report = ask<branch_report>(
    branch_request{.operation = {"op-" + tag}, .sandbox = {name}, .tag = {tag}},
    90s);
  REQUIRE(report);
  CAPTURE(tag, to_string(report->outcome));
  REQUIRE_FALSE(report->outcome);
  return *report;
}

std::vector<std::string> disk_fleet::written_layers(const std::string& name) {
  auto result = std::vector<std::string>{};
  const auto process = "/proc/" + std::to_string(sandbox(name).pid);
  for (const auto& each :
       std::filesystem::directory_iterator{process + "/fd"}) {
    auto error = std::error_code{};
    const auto target = std::filesystem::read_symlink(each.path(), error);
    if (target.extension() != ".qcow2")
      continue;
    auto about =
      std::ifstream{process + "/fdinfo/" + each.path().filename().string()};
    unsigned flags = 0;
    for (std::string word; about >> word;)
      if (word == "flags:")
        about >> std::oct >> flags;
    struct stat info = {};
    REQUIRE(::stat(each.path().c_str(), &info) == 0);
    if ((flags & O_ACCMODE) == O_RDONLY)
      continue;
    // What is written has one name: no snapshot and no sibling has it.
    CHECK(info.st_nlink == 1);
    result.push_back(std::to_string(info.st_dev) + ":"
                     + std::to_string(info.st_ino));
  }
  return result;
}

void disk_fleet::check_nothing_is_left(const std::string& host) {
  const auto log = log_of("fsck");
  auto ended = program_run{{program_path("forkfleet-fsck"), "--data",
                            data_of(host), "--all", "--young", "1ms"},
                           log};
  const int status = ended.wait(60s);
  INFO(text_of(log));
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
}

} // namespace forkfleet::test
