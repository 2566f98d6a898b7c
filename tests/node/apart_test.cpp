// SPDX-License-Identifier: Apache-2.0
#include "node/network/apart.hpp"

#include <cstdio>
#include <cstdlib>
#include <poll.h>
#include <stdexcept>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>

using namespace forkfleet;
using namespace std::chrono_literals;

TEST_CASE("work that is done apart gives its answer", "[node][apart]") {
  const auto long_one = std::string(100'000, 'x');
  const auto got = run_apart(
    [&]() -> expected<std::string> {
      std::fputs("what it prints is no answer", stdout);
      return long_one;
    },
    10s);
  REQUIRE(got);
  CHECK((*got == long_one));
  const auto none =
    run_apart([]() -> expected<std::string> { return std::string{}; }, 10s);
  REQUIRE(none);
  CHECK(none->empty());
}

TEST_CASE("work that is done apart gives its error", "[node][apart]") {
  const auto got = run_apart(
    []() -> expected<std::string> { return fail(ec::unsupported, "not here"); },
    10s);
  REQUIRE_FALSE(got);
  CHECK(got.error() == failure{ec::unsupported, "not here"});
  const auto thrown = run_apart(
    []() -> expected<std::string> { throw std::runtime_error("thrown"); }, 10s);
  REQUIRE_FALSE(thrown);
  CHECK(thrown.error() == failure{ec::io_failed, "thrown"});
}

TEST_CASE("a library that ends its process does not end ours",
          "[node][apart][safety]") {
  const auto how = GENERATE(0, 1, 2, 3);
  const auto got = run_apart(
    [how]() -> expected<std::string> {
      std::fputs("its last\nwords\n", stderr);
      std::fflush(stderr);
      if (how == 0)
        std::exit(3);
      if (how == 1)
        ::_exit(0);
      if (how == 2)
        std::abort();
      ::kill(::getpid(), SIGKILL);
      return std::string{};
    },
    10s);
  REQUIRE_FALSE(got);
  CHECK(got.error().code == ec::io_failed);
  CHECK_THAT(got.error().message, Catch::Contains("its last words"));
  CHECK(::waitpid(-1, nullptr, WNOHANG) < 0);
}

TEST_CASE("work that does not end is ended", "[node][apart][safety]") {
  const auto got = run_apart(
    []() -> expected<std::string> {
      for (;;)
        ::poll(nullptr, 0, 1000);
    },
    50ms);
  REQUIRE_FALSE(got);
  CHECK(got.error().code == ec::deadline_exceeded);
  CHECK(::waitpid(-1, nullptr, WNOHANG) < 0);
}
