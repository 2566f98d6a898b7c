// SPDX-License-Identifier: Apache-2.0
#include "actors/shell/supervisor.hpp"

#include <csignal>
#include <sys/syscall.h>
#include <thread>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "tests/actors/shell/temporary_directory.hpp"

using namespace forkfleet;
using namespace forkfleet::shell;
using namespace std::chrono_literals;

namespace {

using verdict = readiness::verdict;

/// A supervisor of shell scripts. Signals are sent to this thread.
struct supervised : test::temporary_directory {
  signal_source signals;
  supervisor_settings settings{
    .restarts = {.restarts_max = 2, .period = 600s, .delay_step = 1ms},
    .start_limit = 30s,
    .stop_limit = 20s,
    .check_interval = 5ms};
  std::vector<program> programs = {};
  std::vector<std::string> notes = {};
  std::vector<std::vector<std::string>> running = {};
  std::function<readiness()> check = [] {
    return readiness{verdict::ready, ""};
  };
  std::function<void()> when_ready = [] { interrupt(); };

  static void interrupt() { syscall(SYS_tgkill, getpid(), gettid(), SIGTERM); }

  void add(std::string name, std::string script) {
    programs.push_back({.name = name,
                        .arguments = {"/bin/sh", "-c", std::move(script)},
                        .log = path + "/" + name});
  }

  exit_code run() {
    supervisor x{
      programs,
      settings,
      {.note = [this](const auto& text) { notes.push_back(text); },
       .progress = [](const auto&) {},
       .check = [this] { return check(); },
       .ready = [this] { when_ready(); },
       .running = [this](const auto& lines) { running.push_back(lines); }}};
    return x.run(signals);
  }

  bool has_note(const std::string& part) const {
    for (const auto& x : notes)
      if (x.find(part) != std::string::npos)
        return true;
    return false;
  }
};

constexpr const char* obedient = "trap 'exit 0' TERM; while :; do sleep 0.01; "
                                 "done";

} // namespace

TEST_CASE_METHOD(supervised, "programs stop in reverse when a signal comes",
                 "[actors][shell][supervisor]") {
  add("first", obedient);
  add("second", obedient);
  // Ready is when both traps are set, which the scripts cannot tell: the
  // default of SIGTERM ends them as well.
  CHECK(run() == exit_code::done);
  REQUIRE(notes.size() == 2);
  CHECK(notes[0].starts_with("stopped second"));
  CHECK(notes[1].starts_with("stopped first"));
  REQUIRE(running.size() == 2);
  CHECK(running[1].size() == 2);
}

TEST_CASE_METHOD(supervised, "a program that ends early fails the start",
                 "[actors][shell][supervisor]") {
  add("good", "exec sleep 60");
  add("bad", "echo port is taken; exit 1");
  check = [] { return readiness{verdict::waiting, "bad"}; };
  CHECK(run() == exit_code::failed);
  CHECK(has_note("bad exited with 1 while it started"));
  CHECK(has_note("bad | port is taken"));
  CHECK(has_note("stopped good"));
}

TEST_CASE_METHOD(supervised, "a program that dies later is started again",
                 "[actors][shell][supervisor][safety]") {
  // The first run ends when the fleet is ready, the second one stays.
  add("node", "cd " + path
                + "; [ -e ready ] && { touch again; exec sleep 60; }; "
                  "touch once; while [ ! -e ready ]; do sleep 0.01; done; "
                  "exit 4");
  check = [this] {
    return std::filesystem::exists(path + "/once")
             ? readiness{verdict::ready, ""}
             : readiness{};
  };
  when_ready = [this] { std::filesystem::create_directory(path + "/ready"); };
  std::jthread watcher{[this, self = gettid()] {
    while (!std::filesystem::exists(path + "/again"))
      usleep(1000);
    syscall(SYS_tgkill, getpid(), self, SIGTERM);
  }};
  CHECK(run() == exit_code::done);
  CHECK(has_note("node exited with 4; starting it again"));
  CHECK(has_note("stopped node"));
}

TEST_CASE_METHOD(supervised, "a program that keeps dying ends the fleet",
                 "[actors][shell][supervisor][safety]") {
  add("coordinator", "exec sleep 60");
  add("node", "while [ ! -e " + path + "/ready ]; do sleep 0.01; done; exit 4");
  when_ready = [this] { std::filesystem::create_directory(path + "/ready"); };
  CHECK(run() == exit_code::failed);
  CHECK(has_note("3 programs died"));
  CHECK(has_note("stopped coordinator"));
}

TEST_CASE_METHOD(supervised, "a program that does not stop is killed",
                 "[actors][shell][supervisor][safety]") {
  add("deaf", "trap '' TERM; touch " + path
                + "/deaf-now; while :; do sleep 0.01; done");
  check = [this] {
    return std::filesystem::exists(path + "/deaf-now")
             ? readiness{verdict::ready, ""}
             : readiness{};
  };
  settings.stop_limit = 50ms;
  CHECK(run() == exit_code::done);
  CHECK(has_note("killed deaf"));
}

TEST_CASE_METHOD(supervised, "a start that takes too long is given up",
                 "[actors][shell][supervisor]") {
  add("node", "echo dialling; exec sleep 60");
  check = [] { return readiness{verdict::waiting, "node a"}; };
  settings.start_limit = 300ms;
  CHECK(run() == exit_code::failed);
  CHECK(has_note("still waiting for node a"));
}

TEST_CASE_METHOD(supervised, "a signal before all is ready interrupts",
                 "[actors][shell][supervisor]") {
  add("node", "exec sleep 60");
  check = [] {
    interrupt();
    return readiness{verdict::waiting, "node a"};
  };
  CHECK(run() == exit_code::interrupted);
  CHECK(has_note("stopped node"));
}

TEST_CASE_METHOD(supervised, "a sandbox that failed fails the start",
                 "[actors][shell][supervisor]") {
  add("node", "exec sleep 60");
  check = [] { return readiness{verdict::failed, "sandbox web is gone"}; };
  CHECK(run() == exit_code::failed);
  CHECK(has_note("sandbox web is gone"));
}
