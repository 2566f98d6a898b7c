// SPDX-License-Identifier: Apache-2.0
#include "actors/catalogue.hpp"

#include <catch2/catch.hpp>

#include "tests/support/link_fixture.hpp"
#include "tests/support/random_value.hpp"

using namespace forkfleet;
using schema::json;
using namespace std::chrono_literals;

namespace {

/// A body with what the schema requires, and nothing else.
json least_body(const scriptable_message& x) {
  auto body = json::object();
  const auto schema = x.body_schema();
  for (const auto& name : schema.value("required", json::array()))
    body[name.get<std::string>()] = "some-name";
  return body;
}

} // namespace

TEST_CASE("every message of the catalogue gets its reply",
          "[actors][catalogue]") {
  test::program coordinator;
  auto fleet = test::make_client(coordinator.serve());
  for (const auto& x : catalogue()) {
    CAPTURE(x.name);
    const auto reply = x.send(fleet, least_body(x), 5s);
    REQUIRE(reply);
    for (const auto& [name, unused] : reply->items())
      CHECK(x.reply_schema()["properties"].contains(name));
  }
}

TEST_CASE("the catalogue holds what scripts may send, and only that",
          "[actors][catalogue]") {
  CHECK(catalogue().size() == 24);
  CHECK(find_message("branch_request").value()->reply == "branch_report");
  const auto internal = find_message("node_hello");
  REQUIRE_FALSE(internal);
  CHECK(internal.error().code == ec::invalid_request);
}

TEST_CASE("an unknown message gets the nearest name", "[actors][catalogue]") {
  const auto found = find_message("brnach_request");
  REQUIRE_FALSE(found);
  CHECK(found.error().message.find("branch_request") != std::string::npos);
}

TEST_CASE("a body is checked before anything is sent", "[actors][catalogue]") {
  auto nowhere = test::make_client(9, {}, 10ms);
  const auto& branch = **find_message("branch_request");
  const auto body =
    json{{"sandbx", "web"}, {"mode", "fast"}, {"deadline_ms", 1.5}};
  const auto reply = branch.send(nowhere, body, 10ms);
  REQUIRE_FALSE(reply);
  CHECK(reply.error().code == ec::invalid_request);
  for (const auto* path : {"'sandbx'", "$.mode", "$.deadline_ms", "$.sandbox"})
    CHECK(reply.error().message.find(path) != std::string::npos);
}

TEST_CASE("a script cannot set what is ours to set",
          "[actors][catalogue][safety]") {
  const auto& branch = **find_message("branch_request");
  CHECK_FALSE(branch.check({{"sandbox", "web"}, {"epoch", 9}}));
  CHECK_FALSE(branch.body_schema()["properties"].contains("epoch"));
}

TEST_CASE("a checked body has every default filled in and checks again",
          "[actors][catalogue]") {
  const auto& branch = **find_message("branch_request");
  const auto body = branch.check({{"sandbox", "web"}, {"mode", "live"}});
  REQUIRE(body);
  CHECK((*body)["mode"] == "live");
  CHECK((*body)["deadline_ms"] == 0);
}
