// SPDX-License-Identifier: Apache-2.0
#include "coordinator/permissions.hpp"

#include <set>

#include <catch2/catch.hpp>

#include "actors/catalogue.hpp"
#include "actors/fleet_protocol.hpp"

using namespace forkfleet;

namespace {

access_subject a_client(access_role role) {
  return {.name = "client:ann", .serial = "0A", .role = role};
}

} // namespace

TEST_CASE("every request has an entry, once, and nothing else has",
          "[coordinator][permissions][safety]") {
  auto listed = std::set<std::string_view>{};
  for (const auto& x : permissions()) {
    CHECK(listed.insert(x.message).second);
    CHECK(x.needed != access_role::none);
  }
  auto asked = std::set<std::string_view>{};
  for (const auto& x : catalogue())
    asked.insert(x.name);
  CHECK(listed == asked);
}

TEST_CASE("what is not in the table is refused to everybody",
          "[coordinator][permissions][safety]") {
  CHECK_FALSE(check_role(a_client(access_role::admin), "node_hello"));
  CHECK_FALSE(check_role(a_client(access_role::admin), ""));
}

TEST_CASE("nobody may ask nothing", "[coordinator][permissions][safety]") {
  const auto nobody = access_subject{};
  const auto node = access_subject{.name = "node:h1"};
  for (const auto& x : permissions()) {
    CHECK_FALSE(check_role(nobody, x.message));
    CHECK_FALSE(check_role({.role = access_role::admin}, x.message));
    CHECK_FALSE(check_role(node, x.message));
  }
}

TEST_CASE("a viewer changes nothing", "[coordinator][permissions][safety]") {
  const auto may = [](std::string_view message) {
    return check_role(a_client(access_role::viewer), message).has_value();
  };
  for (const auto* looks :
       {"nodes_request", "sandboxes_request", "snapshots_request",
        "events_request", "operation_query", "inspect_request",
        "console_request"})
    CHECK(may(looks));
  for (const auto* changes :
       {"branch_request", "restore_request", "stop_request", "remove_request",
        "cancel_request", "flatten_request", "verify_request", "export_request",
        "import_request", "annotate_request", "compare_request", "exec_request",
        "file_request", "rollback_request", "promote_request"})
    CHECK_FALSE(may(changes));
}

TEST_CASE("an operator does not decide what the fleet consists of",
          "[coordinator][permissions][safety]") {
  const auto operate = a_client(access_role::operate);
  CHECK(check_role(operate, branch_request{}));
  CHECK(check_role(operate, exec_request{}));
  CHECK_FALSE(check_role(operate, import_request{}));
  CHECK(check_role(operate, fsck_request{}));
  CHECK_FALSE(check_role(operate, fsck_request{.repair = true}));
  for (const auto& x : permissions())
    CHECK(check_role(a_client(access_role::admin), x.message));
}

TEST_CASE("a refusal names who, what he is, and what it takes",
          "[coordinator][permissions]") {
  const auto refused =
    check_role(a_client(access_role::viewer), stop_request{});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == ec::not_permitted);
  CHECK(refused.error().message
        == "stop_request takes the role operator, and client:ann#0A has the "
           "role viewer");
}

TEST_CASE("an operator ends his own operations, an admin any",
          "[coordinator][permissions][safety]") {
  const auto ann = a_client(access_role::operate);
  CHECK(check_cancel(ann, "client:ann#0A"));
  CHECK(check_cancel(ann, "client:ann#FF")); // her renewed certificate
  CHECK_FALSE(check_cancel(ann, "client:bob#0A"));
  CHECK_FALSE(check_cancel(ann, "client:annabel#0A"));
  CHECK_FALSE(check_cancel(ann, ""));
  CHECK(check_cancel(a_client(access_role::admin), "client:bob#0A"));
  CHECK(check_cancel(a_client(access_role::admin), ""));
}
