// SPDX-License-Identifier: Apache-2.0
#include "actors/shell/detach.hpp"

#include <csignal>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "actors/shell/child_process.hpp"
#include "tests/actors/shell/temporary_directory.hpp"

using namespace forkfleet;
using namespace forkfleet::shell;

namespace {

struct detached : test::temporary_directory {
  const std::string log = path + "/up.log";
  std::vector<std::string> heard = {};

  expected<detached_start> run(const detached_task& task) {
    const auto keep = [this](std::string kind) {
      return
        [this, kind](const std::string& text) { heard.push_back(kind + text); };
    };
    return run_detached(log, task,
                        {.note = keep("note "),
                         .progress = keep("progress "),
                         .ready = keep("ready ")});
  }
};

} // namespace

TEST_CASE_METHOD(detached, "who starts it hears all until it is ready",
                 "[actors][shell][detach]") {
  const auto started =
    run([](signal_source& signals, const launch_reporter& to) {
      to.progress("waiting");
      to.note("a\nb");
      to.ready("up");
      to.note("later");
      while (signals.take() == 0)
        usleep(1000);
      return exit_code::done;
    });
  REQUIRE(started);
  CHECK(started->code == exit_code::done);
  CHECK(
    heard
    == std::vector<std::string>{"progress waiting", "note a?b", "ready up"});
  CHECK(getsid(started->pid) == started->pid);
  kill(started->pid, SIGTERM);
  int end = -1;
  REQUIRE(waitpid(started->pid, &end, 0) == started->pid);
  CHECK(end == 0);
  const auto lines = tail_of(log, 0, 9);
  REQUIRE(lines.size() == 3);
  CHECK(lines[2].ends_with(" later"));
}

TEST_CASE_METHOD(detached, "a start that fails ends with its code",
                 "[actors][shell][detach]") {
  const auto started = run([](signal_source&, const launch_reporter& to) {
    to.note("the port is taken");
    return exit_code::conflict;
  });
  REQUIRE(started);
  CHECK(started->code == exit_code::conflict);
  CHECK(heard == std::vector<std::string>{"note the port is taken"});
  waitpid(started->pid, nullptr, 0);
}

TEST_CASE_METHOD(detached, "one that dies without a word has failed",
                 "[actors][shell][detach][safety]") {
  const auto started = run([](signal_source&, const launch_reporter&) {
    kill(getpid(), SIGKILL);
    return exit_code::done;
  });
  REQUIRE(started);
  CHECK(started->code == exit_code::failed);
  waitpid(started->pid, nullptr, 0);
}
