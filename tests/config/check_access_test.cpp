// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "config/check.hpp"

using namespace forkfleet;
using namespace forkfleet::config;

namespace {

using paths = std::vector<std::string>;

paths wrong_paths(const access_section& access) {
  auto fleet = fleet_file{};
  fleet.access = access;
  problem_list problems{"f"};
  const place_map nowhere;
  checker run{fleet, nowhere, problems};
  check_access(run);
  auto result = paths{};
  for (const auto& each : std::move(problems).sorted())
    result.push_back(each.path);
  return result;
}

} // namespace

TEST_CASE("an entry that denies nobody is told",
          "[config][check_access][safety]") {
  CHECK(wrong_paths({}).empty());
  CHECK(wrong_paths(
          {.denied = {"client:ann", "node:h1", "token:bob", "serial:0A:1B"}})
          .empty());
  CHECK(wrong_paths({.denied = {"ann", "client:ann", "serial:"}})
        == paths{"access.denied[0]", "access.denied[2]"});
}

TEST_CASE("the audit log has limits", "[config][check_access]") {
  CHECK(wrong_paths({.audit_bytes = {1}, .audit_files = 1})
        == paths{"access.audit_bytes", "access.audit_files"});
  CHECK(wrong_paths({.audit_bytes = {1ull << 40}, .audit_files = 101})
        == paths{"access.audit_bytes", "access.audit_files"});
}
