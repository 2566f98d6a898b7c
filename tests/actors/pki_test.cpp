// SPDX-License-Identifier: Apache-2.0
#include "actors/pki.hpp"

#include <filesystem>

#include <catch2/catch.hpp>

#include "tests/support/pki_fixture.hpp"

using namespace forkfleet;
namespace fs = std::filesystem;

namespace {

struct pki_fixture {
  test::authority ours;

  ec code_of(const pki::issue_request& what) {
    const auto files = pki::issue(ours.path(), what, ours.path() / "x");
    return files ? ec::none : files.error().code;
  }
};

std::string problem_of(const tls_material& files) {
  const auto info = pki::check(files);
  return info ? "" : info.error().message;
}

bool contains(const std::string& text, std::string_view words) {
  INFO(text);
  return text.find(words) != std::string::npos;
}

} // namespace

TEST_CASE_METHOD(pki_fixture, "keys are for their owner alone",
                 "[actors][pki][safety]") {
  const auto files = ours.node("h1");
  const auto mode = [](const fs::path& x) {
    return fs::status(x).permissions();
  };
  const auto owner_only = fs::perms::owner_read | fs::perms::owner_write;
  CHECK(mode(ours.path() / "ca.key") == owner_only);
  CHECK(mode(files.key) == owner_only);
  CHECK(mode(fs::path{files.key}.parent_path()) == fs::perms::owner_all);
}

TEST_CASE_METHOD(pki_fixture, "nothing that is there is overwritten",
                 "[actors][pki][safety]") {
  const auto again = pki::init(ours.path());
  REQUIRE_FALSE(again);
  CHECK(again.error().code == ec::invalid_request);
  CHECK(contains(again.error().message, "ca.key"));
  const auto what = pki::issue_request{.what = pki::role::node, .name = "h1"};
  CHECK(code_of(what) == ec::none);
  CHECK(code_of(what) == ec::invalid_request);
  fs::remove(ours.path() / "ca.key");
  CHECK_FALSE(pki::init(ours.path()));
}

TEST_CASE_METHOD(pki_fixture, "a certificate says who it is for, and what for",
                 "[actors][pki]") {
  const auto coordinator = pki::check(ours.coordinator());
  REQUIRE(coordinator);
  CHECK(coordinator->identity == "coordinator");
  CHECK((coordinator->serves && !coordinator->dials));
  const auto node = pki::check(ours.node("h1", pki::days{7}));
  REQUIRE(node);
  CHECK(node->identity == "node:h1");
  CHECK((node->dials && !node->serves));
  CHECK(node->left > std::chrono::hours{24 * 6});
  CHECK(node->left <= std::chrono::hours{24 * 7});
  CHECK(pki::inspect(ours.client("ann").certificate)->identity == "client:ann");
}

TEST_CASE_METHOD(pki_fixture, "what cannot be a name is refused",
                 "[actors][pki][safety]") {
  using pki::role;
  const auto name = GENERATE(as<std::string>{}, "", "-x", "a/b", "a b", "x\n",
                             std::string(64, 'x'));
  CHECK(code_of({.what = role::node, .name = name}) == ec::invalid_request);
  CHECK(code_of({.what = role::client, .name = name}) == ec::invalid_request);
  CHECK(code_of({.what = role::coordinator, .hosts = {}})
        == ec::invalid_request);
  CHECK(code_of({.what = role::coordinator, .hosts = {"a,DNS:b"}})
        == ec::invalid_request);
}

TEST_CASE_METHOD(pki_fixture, "addresses of both families can be named",
                 "[actors][pki]") {
  CHECK(code_of({.what = pki::role::coordinator,
                 .hosts = {"127.0.0.1", "::1", "c.fleet.example"}})
        == ec::none);
}

TEST_CASE_METHOD(pki_fixture, "a check finds what is wrong with the files",
                 "[actors][pki]") {
  test::authority theirs;
  const auto fine = ours.node("h1");
  CHECK(problem_of(fine).empty());
  auto x = fine;
  x.key = ours.node("h2").key;
  CHECK(contains(problem_of(x), "is not the key of"));
  x = fine;
  x.authority = (theirs.path() / "ca.crt").string();
  CHECK(contains(problem_of(x), "was not issued by"));
  CHECK(contains(problem_of(ours.node("h3", pki::days{-1})), "expired"));
  x = fine;
  x.certificate = fine.key;
  CHECK(contains(problem_of(x), "is no such PEM file"));
  fs::permissions(fine.key, fs::perms::group_read, fs::perm_options::add);
  CHECK(contains(problem_of(fine), "chmod 600"));
  fs::remove(fine.key);
  CHECK(contains(problem_of(fine), fine.key));
}

TEST_CASE_METHOD(pki_fixture, "a client's role is in its certificate",
                 "[actors][pki][safety]") {
  const auto role =
    GENERATE(access_role::viewer, access_role::operate, access_role::admin);
  const auto info = pki::check(ours.client("ann", role));
  REQUIRE(info);
  CHECK(info->access == role);
  CHECK(info->serial.size() >= 8);
  CHECK(pki::check(ours.node("h1"))->access == access_role::none);
  CHECK(
    code_of(
      {.what = pki::role::client, .name = "ann", .access = access_role::none})
    == ec::invalid_request);
}

TEST_CASE_METHOD(pki_fixture, "who says nothing of a role gets a viewer",
                 "[actors][pki][safety]") {
  const auto files = pki::issue(
    ours.path(), {.what = pki::role::client, .name = "ann"}, ours.path() / "v");
  REQUIRE(files);
  CHECK(pki::inspect(files->certificate)->access == access_role::viewer);
}
