// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include <catch2/catch.hpp>

#include "node/doctor/checks.hpp"
#include "tests/support/scratch.hpp"

using namespace forkfleet;

namespace {

host_check check_named(const std::string& data, std::string_view name) {
  const auto all = doctor::check_resources({.data = data});
  const auto found = std::ranges::find(all, name, &host_check::name);
  REQUIRE(found != all.end());
  return *found;
}

} // namespace

TEST_CASE("a directory that is not there is judged by the one above it",
          "[node][resource_checks]") {
  const test::scratch_directory place;
  CHECK(doctor::existing_place(place.path() + "/a/b/c") == place.path());
  const auto data = check_named(place.path() + "/a/b/c", "data");
  CHECK(data.found.starts_with(place.path() + ": "));
}

TEST_CASE("a place where nothing can be kept is bad, with a remedy",
          "[node][resource_checks]") {
  const auto data = check_named("/proc/self", "data");
  CHECK(data.state == check_state::bad);
  CHECK_FALSE(data.remedy.empty());
}
