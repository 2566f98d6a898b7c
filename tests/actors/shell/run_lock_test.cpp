// SPDX-License-Identifier: Apache-2.0
#include "actors/shell/run_lock.hpp"

#include <array>
#include <csignal>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "tests/actors/shell/temporary_directory.hpp"

using namespace forkfleet;
using namespace forkfleet::shell;

namespace {

/// Another process that holds the lock until it is told to end.
struct held_elsewhere : test::temporary_directory {
  const std::string state = path + "/deep/state";
  int pid = -1;
  unique_fd stay;

  held_elsewhere() {
    std::array<int, 2> taken{};
    std::array<int, 2> end{};
    REQUIRE(pipe(taken.data()) == 0);
    REQUIRE(pipe(end.data()) == 0);
    pid = fork();
    if (pid == 0) {
      close(end[1]);
      const auto lock = run_lock::take(state);
      if (lock && *lock)
        (*lock)->describe({"coordinator 11", "node a 12"});
      char byte = 'x';
      std::ignore = write(taken[1], &byte, 1);
      std::ignore = read(end[0], &byte, 1);
      _exit(0);
    }
    stay.reset(end[1]);
    close(end[0]);
    char byte = 0;
    REQUIRE(read(taken[0], &byte, 1) == 1);
    close(taken[0]);
    close(taken[1]);
  }

  void end() {
    stay.reset();
    if (pid > 0)
      waitpid(pid, nullptr, 0);
    pid = -1;
  }

  ~held_elsewhere() { end(); }
};

} // namespace

TEST_CASE_METHOD(held_elsewhere, "a fleet's lock has one holder, who is known",
                 "[actors][shell][run_lock][safety]") {
  CHECK(lock_holder(state) == pid);
  const auto second = run_lock::take(state);
  REQUIRE(second);
  CHECK_FALSE(second->has_value());
  CHECK(lock_text(state)
        == std::vector<std::string>{"coordinator 11", "node a 12"});
  CHECK(*open_lock_holder(state));
}

TEST_CASE_METHOD(held_elsewhere, "a lock ends with its holder",
                 "[actors][shell][run_lock][safety]") {
  end();
  CHECK(lock_holder(state) == 0);
  CHECK_FALSE(*open_lock_holder(state));
  const auto next = run_lock::take(state);
  REQUIRE(next);
  CHECK(next->has_value());
}

TEST_CASE("nobody holds the lock of a fleet that never was",
          "[actors][shell][run_lock]") {
  CHECK(lock_holder("/nonexistent") == 0);
  CHECK(lock_text("/nonexistent").empty());
}
