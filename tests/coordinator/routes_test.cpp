// SPDX-License-Identifier: Apache-2.0
#include "coordinator/routes.hpp"

#include <catch2/catch.hpp>

using namespace forkfleet;

namespace {

const untold_hosts all_told{};
const untold_hosts waiting_for_h9{{"h9"}};

lineage known_names() {
  auto names = lineage{};
  names.apply({.host = {"h1"},
               .sandboxes = {{.id = {"s1"}, .state = sandbox_state::running},
                             {.id = {"over"}, .state = sandbox_state::gone},
                             {.id = {"kid"}, .parent = {"snap"}}},
               .snapshots = {{.tag = {"snap"}, .operation = {"op-1"}}}});
  names.apply({.host = {"h2"},
               .sandboxes = {{.id = {"far"}, .state = sandbox_state::gone}}});
  return names;
}

branch_request branch(std::string sandbox, std::string tag,
                      std::string operation = "op-9") {
  return {.operation = {operation}, .sandbox = {sandbox}, .tag = {tag}};
}

restore_request restore(std::string tag, std::string sandbox) {
  return {.operation = {"op-9"}, .tag = {tag}, .sandbox = {sandbox}};
}

} // namespace

TEST_CASE("a branch goes where its source is", "[coordinator][routes]") {
  const auto names = known_names();
  CHECK(find_host(names, branch("s1", "new"), all_told) == host_name{"h1"});
  CHECK(find_host(names, branch("s2", "new"), all_told).error().code
        == ec::unknown_sandbox);
  CHECK(find_host(names, branch("s2", "new"), waiting_for_h9).error().code
        == ec::not_ready);
}

TEST_CASE("a tag is taken unless this very operation made it",
          "[coordinator][routes][safety]") {
  const auto names = known_names();
  CHECK(find_host(names, branch("s1", "snap"), all_told).error().code
        == ec::snapshot_exists);
  CHECK(find_host(names, branch("lost", "snap", "op-1"), all_told)
        == host_name{"h1"});
  CHECK(find_host(names, branch("s1", "new"), waiting_for_h9).error().code
        == ec::not_ready);
}

TEST_CASE("a removed parent's tag is not given to another snapshot",
          "[coordinator][routes][safety]") {
  auto names = known_names();
  names.drop(snapshot_tag{"snap"}, {"h1"});
  CHECK(find_host(names, branch("s1", "snap"), all_told).error().code
        == ec::snapshot_exists);
  names.drop(sandbox_id{"kid"}, {"h1"});
  CHECK(find_host(names, branch("s1", "snap"), all_told));
}

TEST_CASE("a child goes where its snapshot is", "[coordinator][routes]") {
  const auto names = known_names();
  CHECK(find_host(names, restore("snap", "new"), all_told) == host_name{"h1"});
  CHECK(find_host(names, restore("none", "new"), all_told).error().code
        == ec::unknown_snapshot);
  CHECK(find_host(names, restore("snap", "s1"), all_told).error().code
        == ec::sandbox_exists);
  CHECK(find_host(names, restore("snap", "kid"), all_told));
  CHECK(find_host(names, restore("snap", "over"), all_told));
  // Two hosts would claim the name.
  CHECK(find_host(names, restore("snap", "far"), all_told).error().code
        == ec::sandbox_exists);
  CHECK(find_host(names, restore("snap", "new"), waiting_for_h9).error().code
        == ec::not_ready);
}

TEST_CASE("upkeep goes where its snapshot is", "[coordinator][routes]") {
  const auto names = known_names();
  CHECK(find_host(names, verify_request{.tag = {"snap"}}, all_told)
        == host_name{"h1"});
  CHECK(
    find_host(names, flatten_request{.tag = {"none"}}, all_told).error().code
    == ec::unknown_snapshot);
  CHECK(find_host(names, export_request{.tag = {"none"}}, waiting_for_h9)
          .error()
          .code
        == ec::not_ready);
}

TEST_CASE("a new tag must be free in the whole fleet",
          "[coordinator][routes][safety]") {
  const auto names = known_names();
  CHECK(check_free(names, {"new"}, all_told));
  CHECK(check_free(names, {}, waiting_for_h9));
  CHECK(check_free(names, {"snap"}, all_told).error().code
        == ec::snapshot_exists);
  CHECK(check_free(names, {"new"}, waiting_for_h9).error().code
        == ec::not_ready);
}

TEST_CASE("an error names hosts that have yet to tell, not all of a thousand",
          "[coordinator][routes]") {
  auto many = untold_hosts{};
  for (int i = 0; i < 1000; ++i)
    many.push_back({"h" + std::to_string(i)});
  const auto wait = not_told(many, "sandbox 'x'");
  CHECK(wait.code == ec::not_ready);
  CHECK(wait.message.find("'h0'") != std::string::npos);
  CHECK(wait.message.find("995 more") != std::string::npos);
  CHECK_FALSE(not_told(all_told, "sandbox 'x'"));
}

TEST_CASE("a rollback needs sandbox and snapshot on one host",
          "[coordinator][routes]") {
  const auto names = known_names();
  const auto find = [&names](const char* sandbox, const char* tag) {
    return find_host(
      names, rollback_request{.sandbox = {sandbox}, .tag = {tag}}, all_told);
  };
  CHECK(find("s1", "snap") == host_name{"h1"});
  CHECK(find("none", "snap").error().code == ec::unknown_sandbox);
  CHECK(find("s1", "none").error().code == ec::unknown_snapshot);
  CHECK(find("far", "snap").error().code == ec::unsupported);
}

TEST_CASE("a promotion needs the child's source on the child's host",
          "[coordinator][routes][safety]") {
  auto names = known_names();
  const promote_request up{.sandbox = {"kid"}};
  CHECK(find_host(names, up, all_told) == host_name{"h1"});
  names.learn(
    snapshot_info{.tag = {"snap"}, .host = {"h1"}, .source = {"far"}});
  CHECK(find_host(names, up, all_told).error().code == ec::unsupported);
  names.learn(snapshot_info{.tag = {"snap"}, .host = {"h1"}, .source = {"s1"}});
  CHECK(find_host(names, up, all_told) == host_name{"h1"});
}
