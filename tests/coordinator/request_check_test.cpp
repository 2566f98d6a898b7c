// SPDX-License-Identifier: Apache-2.0
#include "coordinator/request_check.hpp"

#include <set>

#include <catch2/catch.hpp>

#include "coordinator/settings.hpp"

using namespace forkfleet;
using namespace std::chrono_literals;

TEST_CASE("made ids are valid and differ", "[coordinator][request_check]") {
  auto dice = std::mt19937_64{1};
  auto seen = std::set<operation_id>{};
  for (int i = 0; i < 1000; ++i) {
    const auto id = make_operation_id(1700000000s, dice);
    REQUIRE(is_valid(id));
    REQUIRE(seen.insert(id).second);
  }
}

TEST_CASE("a default name is valid, and the same for each retry",
          "[coordinator][request_check]") {
  const auto sandbox = sandbox_id{std::string(35, 's')};
  const auto operation = operation_id{std::string(64, 'o')};
  CHECK(is_valid(default_tag(sandbox, operation)));
  CHECK(default_tag({"web"}, {"op-7"}) == snapshot_tag{"web-op-7"});
  const auto tag = snapshot_tag{std::string(64, 't')};
  CHECK(is_valid(default_child(tag, operation)));
  CHECK(default_child({"web"}, {"op-7"}) == sandbox_id{"web-op-7"});
}

TEST_CASE("a deadline of 0 takes the fleet's, and has a limit",
          "[coordinator][request_check]") {
  auto request = branch_request{.operation = {"op"}, .sandbox = {"s"}};
  REQUIRE(complete(request, 7s));
  CHECK(request.deadline == 7s);
  request.deadline = 3s;
  REQUIRE(complete(request, 7s));
  CHECK(request.deadline == 3s);
  request.deadline = request_deadline_max + 1ms;
  CHECK(complete(request, 7s).error().code == ec::invalid_request);
  request.deadline = -1ms;
  CHECK(complete(request, 7s).error().code == ec::invalid_request);
}

TEST_CASE("an export without a name is named by its tag",
          "[coordinator][request_check]") {
  auto request = export_request{.tag = {"t"}};
  REQUIRE(complete(request, 7s));
  CHECK(request.file == "t.ffsnap");
  CHECK(request.deadline == 7s);
  CHECK(is_archive_name(
    default_archive({std::string(snapshot_tag_tag::length_max, 't')})));
  request.file = std::string(archive_name_length_max + 1, 'a');
  CHECK_FALSE(complete(request, 7s));
  auto incoming = import_request{.file = "t.ffsnap", .host = {"h1"}};
  CHECK(complete(incoming, 7s));
  incoming.tag = {"a/b"};
  CHECK_FALSE(complete(incoming, 7s));
  incoming = {.file = "t.ffsnap"};
  CHECK_FALSE(complete(incoming, 7s));
}

TEST_CASE("each bad field is refused", "[coordinator][request_check]") {
  const auto good =
    branch_request{.operation = {"op"}, .sandbox = {"s"}, .tag = {"t"}};
  auto bad = good;
  bad.operation = {"a b"};
  CHECK_FALSE(complete(bad, 7s));
  bad = good;
  bad.sandbox = {};
  CHECK_FALSE(complete(bad, 7s));
  bad = good;
  bad.tag = {"../../etc"};
  CHECK_FALSE(complete(bad, 7s));
  bad = good;
  bad.mode = static_cast<branch_mode>(99);
  CHECK_FALSE(complete(bad, 7s));
  for (const auto pause : {-1ms, 60'001ms}) {
    bad = good;
    bad.max_pause = pause;
    CHECK_FALSE(complete(bad, 7s));
  }
  auto child = restore_request{.operation = {"op"}, .tag = {"t/"}};
  CHECK_FALSE(complete(child, 7s));
}
