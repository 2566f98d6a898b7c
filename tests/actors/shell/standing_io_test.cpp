// SPDX-License-Identifier: Apache-2.0
#include "actors/shell/standing_io.hpp"

#include <csignal>
#include <fcntl.h>
#include <ostream>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "actors/shell/signals.hpp"
#include "actors/unique_fd.hpp"

using namespace forkfleet;
using namespace forkfleet::shell;

namespace {

struct pipe_fixture {
  unique_fd in = {};
  unique_fd out = {};

  pipe_fixture() {
    int ends[2];
    REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    in.reset(ends[0]);
    out.reset(ends[1]);
  }
};

} // namespace

TEST_CASE_METHOD(pipe_fixture, "a read that stands is ended by a signal",
                 "[actors][shell][signals][safety]") {
  const int number = GENERATE(SIGINT, SIGTERM, SIGHUP);
  signal_source signals;
  REQUIRE(::write(out.get(), "text", 4) == 4);
  CHECK(read_standing(in.get(), 100, "pipe") == "text");
  ::raise(number);
  const auto got = read_standing(in.get(), 100, "pipe");
  REQUIRE_FALSE(got);
  CHECK(got.error().code == ec::cancelled);
  CHECK(signals.take() == number);
  CHECK(exit_code_after(number) == static_cast<exit_code>(128 + number));
  // Also one that was taken earlier.
  CHECK_FALSE(read_standing(in.get(), 100, "pipe"));
}

TEST_CASE_METHOD(pipe_fixture, "a write that stands is ended by a signal",
                 "[actors][shell][signals][safety]") {
  signal_source signals;
  ::raise(SIGTERM);
  standing_buffer buffer{out.get()};
  std::ostream stream{&buffer};
  // What can be written at once still is.
  stream << "first" << std::flush;
  CHECK(stream.good());
  for (int i = 0; i < 1000 && stream.good(); ++i)
    stream << std::string(16'384, 'x') << std::flush;
  CHECK_FALSE(stream.good());
  CHECK(signals.take() == SIGTERM);
}

TEST_CASE_METHOD(pipe_fixture, "what is written arrives as it is",
                 "[actors][shell][signals]") {
  standing_buffer buffer{out.get()};
  std::ostream stream{&buffer};
  auto wanted = std::string{};
  auto got = std::string{};
  for (int i = 0; i < 3000; ++i) {
    const auto line = std::to_string(i) + "\n";
    wanted += line;
    stream << line;
    if (i % 1000 == 999) {
      stream.flush();
      got += read_standing(in.get(), 1 << 20, "pipe").value_or("");
    }
  }
  CHECK(got == wanted);
}
