// SPDX-License-Identifier: Apache-2.0
#include "actors/descriptors.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <vector>

#include <catch2/catch.hpp>

#include "actors/unique_fd.hpp"

using namespace forkfleet;

namespace {

/// The limit as it was, whatever the test did.
struct kept_limit {
  rlimit limit = {};
  kept_limit() { ::getrlimit(RLIMIT_NOFILE, &limit); }
  kept_limit(const kept_limit&) = delete;
  kept_limit& operator=(const kept_limit&) = delete;
  ~kept_limit() { ::setrlimit(RLIMIT_NOFILE, &limit); }
};

} // namespace

TEST_CASE("the limit is raised as far as it may be", "[actors][descriptors]") {
  const kept_limit kept;
  auto low = kept.limit;
  low.rlim_cur = 100;
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &low) == 0);
  raise_descriptor_limit();
  CHECK(count_descriptors().max == kept.limit.rlim_max);
}

TEST_CASE("open descriptors are counted, and without one it is not known",
          "[actors][descriptors][safety]") {
  const kept_limit kept;
  const auto before = count_descriptors();
  REQUIRE(before.is_known);
  std::vector<unique_fd> files;
  files.emplace_back(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  CHECK(count_descriptors().open == before.open + 1);
  auto low = kept.limit;
  low.rlim_cur = before.open + 1;
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &low) == 0);
  for (int fd = 0; fd >= 0; files.emplace_back(fd))
    fd = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  CHECK_FALSE(count_descriptors().is_known);
}
