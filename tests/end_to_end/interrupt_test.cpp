// SPDX-License-Identifier: Apache-2.0
// The tool ends when it is asked to, whatever it reads or writes stands.
#include <csignal>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <thread>

#include <catch2/catch.hpp>

#include "actors/unique_fd.hpp"
#include "tests/support/access_fleet.hpp"

using namespace forkfleet;
using namespace forkfleet::test;
using namespace std::chrono_literals;

namespace {

/// A pipe with a name whose other end we hold open and leave alone.
struct standing_pipe {
  std::string path;
  unique_fd end = {};

  explicit standing_pipe(std::string where) : path{std::move(where)} {
    REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
    end.reset(::open(path.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC));
    REQUIRE(end);
  }
};

/// As a shell tells it.
int code_of(int status) {
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

} // namespace

TEST_CASE_METHOD(access_fleet, "the tool can always be interrupted",
                 "[end_to_end][vm][access][safety]") {
  if (!can_run())
    return;
  start_ready();
  const auto input = standing_pipe{here("input")};
  const auto output = standing_pipe{here("output")};
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) {
    CAPTURE(number);
    const auto end = [&](program_run tool) {
      // Long enough to stand in what it does.
      std::this_thread::sleep_for(1500ms);
      return code_of(tool.end(number));
    };
    CHECK(end(begin({"exec", "box", "-i", "--", "cat"}, input.path))
          == 128 + number);
    CHECK(end(begin({"cp", "-", "box:/root/from-pipe"}, input.path))
          == 128 + number);
    CHECK(end(begin({"exec", "box", "--", "sh", "-c",
                     "while :; do echo line 4567; done; sleep 4567"},
                    "/dev/null", output.path))
          == 128 + number);
    CHECK(
      end(begin({"cp", "box:/proc/kallsyms", "-"}, "/dev/null", output.path))
      == 128 + number);
    CHECK(end(begin({"logs", "box", "-f"}, "/dev/null", output.path))
          == 128 + number);
    CHECK(end(begin({"events", "--follow"}, "/dev/null", output.path))
          == 128 + number);
  }
  INFO("nothing of it is left in the guest");
  CHECK(run({"exec", "box", "--", "sh", "-c",
             "ps | grep '[l]ine 4567' || ls -a /root | grep forkfleet"})
        == 1);
}
