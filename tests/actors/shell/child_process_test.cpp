// SPDX-License-Identifier: Apache-2.0
#include "actors/shell/child_process.hpp"

#include <csignal>
#include <fcntl.h>
#include <fstream>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "actors/shell/signals.hpp"
#include "tests/actors/shell/temporary_directory.hpp"

using namespace forkfleet;
using namespace forkfleet::shell;

namespace {

struct processes : test::temporary_directory {
  const std::string log = path + "/log";

  expected<child_process> shell(const std::string& script) const {
    return child_process::start(
      {.name = "test", .arguments = {"/bin/sh", "-c", script}, .log = log});
  }

  static process_end end_of(child_process& x) {
    pollfd ended{x.handle(), POLLIN, 0};
    REQUIRE(poll(&ended, 1, 20'000) == 1);
    const auto end = x.take_end();
    REQUIRE(end);
    return *end;
  }
};

} // namespace

TEST_CASE_METHOD(processes, "a child's end and last lines are told",
                 "[actors][shell][child_process]") {
  auto child = shell("echo one; echo two >&2; echo three; exit 3");
  REQUIRE(child);
  CHECK(end_of(*child).text() == "exited with 3");
  CHECK_FALSE(child->is_running());
  CHECK(child->last_lines(2) == std::vector<std::string>{"two", "three"});
}

TEST_CASE_METHOD(processes, "the lines of an earlier run are not told",
                 "[actors][shell][child_process]") {
  auto first = shell("echo old");
  REQUIRE(first);
  end_of(*first);
  auto second = shell("echo new");
  REQUIRE(second);
  end_of(*second);
  CHECK(second->last_lines(9) == std::vector<std::string>{"new"});
}

TEST_CASE_METHOD(processes, "a program that is not there is told by its path",
                 "[actors][shell][child_process]") {
  const auto child = child_process::start(
    {.name = "test", .arguments = {"/nonexistent/program"}, .log = log});
  REQUIRE_FALSE(child);
  CHECK(child.error().code == ec::invalid_request);
  CHECK(child.error().message.find("/nonexistent/program")
        != std::string::npos);
}

TEST_CASE_METHOD(processes, "a child that is let go of is ended",
                 "[actors][shell][child_process][safety]") {
  int pid = 0;
  {
    auto child = shell("exec sleep 60");
    REQUIRE(child);
    pid = child->pid();
  }
  CHECK(kill(pid, 0) == -1);
  CHECK(errno == ESRCH);
}

TEST_CASE_METHOD(processes, "a child has none of our files",
                 "[actors][shell][child_process][safety]") {
  const unique_fd low{fcntl(STDERR_FILENO, F_DUPFD, 3)};
  const unique_fd high{fcntl(STDERR_FILENO, F_DUPFD, 100)};
  auto child = shell("ls /proc/$$/fd");
  REQUIRE(child);
  end_of(*child);
  CHECK(child->last_lines(9) == std::vector<std::string>{"0", "1", "2"});
}

TEST_CASE_METHOD(processes, "a child can be told to end",
                 "[actors][shell][child_process][safety]") {
  // A shell would clear the mask itself, so there is none in between.
  const signal_source blocked;
  auto child = child_process::start(
    {.name = "test",
     .arguments = {"/bin/grep", "SigBlk", "/proc/self/status"},
     .log = log});
  REQUIRE(child);
  end_of(*child);
  CHECK(child->last_lines(1)
        == std::vector<std::string>{"SigBlk:\t0000000000000000"});
}

TEST_CASE_METHOD(processes, "a child does not outlive a killed parent",
                 "[actors][shell][child_process][safety]") {
  const auto parent = fork();
  if (parent == 0) {
    auto child = shell("echo $$; exec sleep 60");
    // The child wrote its pid, so it runs; then we die like kill -9.
    while (child && child->last_lines(1).empty())
      usleep(1000);
    kill(getpid(), SIGKILL);
  }
  REQUIRE(waitpid(parent, nullptr, 0) == parent);
  const auto lines = tail_of(log, 0, 1);
  REQUIRE(lines.size() == 1);
  bool is_gone = false;
  for (int i = 0; i < 20'000 && !is_gone; ++i) {
    std::ifstream status{"/proc/" + lines[0] + "/stat"};
    std::string id;
    std::string name;
    std::string state = "gone";
    status >> id >> name >> state;
    is_gone = state == "gone" || state == "Z";
    usleep(1000);
  }
  CHECK(is_gone);
}

TEST_CASE_METHOD(processes, "a log that has grown too large is set aside",
                 "[actors][shell][child_process]") {
  std::ofstream{log} << "0123456789";
  bound_log(log, 10);
  CHECK(tail_of(log, 0, 1) == std::vector<std::string>{"0123456789"});
  bound_log(log, 9);
  CHECK(tail_of(log, 0, 1).empty());
  CHECK(tail_of(log + ".1", 0, 1) == std::vector<std::string>{"0123456789"});
}
