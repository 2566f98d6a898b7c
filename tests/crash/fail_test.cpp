// SPDX-License-Identifier: Apache-2.0
// Every single call of a node's life that changes its disk fails once, and
// twice in a row, and for good. That costs what was under way and nothing
// else: the guest branches on.
#include <cerrno>
#include <cstdio>
#include <limits>
#include <utility>

#include <catch2/catch.hpp>

#include "actors/fault.hpp"
#include "node/storage/file.hpp"
#include "tests/support/scratch.hpp"
#include "tests/support/store_life.hpp"
#include "tests/support/store_wrongs.hpp"

using namespace forkfleet;
using namespace forkfleet::test;

namespace {

constexpr uint64_t calls_max = 5000;
constexpr uint64_t for_good = std::numeric_limits<uint64_t>::max();

std::string code_of(int error) {
  return to_string(errno_failure(error, "").code);
}

/// The first thing that failed, of what was told; empty: nothing.
std::string first_failure(const std::vector<std::string>& told) {
  for (const auto& line : told)
    if (line.starts_with("failed "))
      return line;
  return {};
}

/// What lies in staging that need not wait for the next start. A snapshot
/// that is being removed must, when it is not known to be out of sight for
/// good: half of it would be seen if it came back.
std::vector<std::string> left_in(const std::string& staging) {
  auto names = list_directory(staging).value_or(std::vector<std::string>{});
  std::erase_if(names, [](const std::string& name) {
    return name.starts_with(".removed-");
  });
  return names;
}

} // namespace

TEST_CASE("a call that fails costs at most its own operation",
          "[crash][safety]") {
  const auto [error, calls] =
    GENERATE(std::pair{ENOSPC, uint64_t{1}}, std::pair{ENOSPC, for_good},
             std::pair{EDQUOT, uint64_t{1}}, std::pair{EINTR, uint64_t{1}},
             std::pair{EIO, uint64_t{1}}, std::pair{EIO, uint64_t{2}},
             std::pair{EIO, for_good});
  CAPTURE(error, calls);
  uint64_t lives = 0;
  uint64_t refusals = 0;
  for (uint64_t number = 1; number < calls_max; ++number) {
    CAPTURE(number);
    const scratch_directory home;
    const auto path = home.path() + "/node";
    std::vector<std::string> told;
    disk_breaker breaker{{disk_fault::kind::fail, number, error, calls}};
    disk::watch_by(&breaker);
    store_life{path, [&](const auto& line) { told.push_back(line); }}.run();
    disk::watch_by(nullptr);
    if (breaker.failed() == 0)
      break;
    ++lives;
    if (const auto failure = first_failure(told); !failure.empty()) {
      ++refusals;
      CAPTURE(failure);
      if (error != EINTR)
        CHECK(failure.find(code_of(error)) != std::string::npos);
    }
    if (calls == 1 && !breaker.has_failed(disk::act::remove))
      CHECK(left_in(path + "/staging").empty());
    const auto wrongs = wrongs_after(path, told);
    for (const auto& line : wrongs)
      UNSCOPED_INFO(line);
    CHECK(wrongs.empty());
  }
  CHECK(lives > 100);
  std::printf("errno %d, %s: %llu lives, %llu operations refused\n", error,
              calls == for_good ? "for good"
                                : (calls == 1 ? "once" : "twice in a row"),
              static_cast<unsigned long long>(lives),
              static_cast<unsigned long long>(refusals));
}
