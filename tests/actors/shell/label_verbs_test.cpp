// SPDX-License-Identifier: Apache-2.0
// label, note, inspect, diff and rm against a coordinator over a real link.
#include <sstream>

#include <catch2/catch.hpp>

#include "actors/shell/inspect_text.hpp"
#include "actors/shell/verb.hpp"
#include "tests/support/link_fixture.hpp"

using namespace forkfleet;
using namespace forkfleet::shell;

namespace {

struct reached_fleet_fixture {
  test::token_place tokens;
  test::program fleet;
  const std::string address =
    "127.0.0.1:" + std::to_string(fleet.serve(tokens.tokens()));
  std::ostringstream out;
  std::ostringstream err;

  exit_code run(std::vector<std::string> words) {
    out.str("");
    err.str("");
    words.insert(words.begin(), {"--coordinator", address});
    session io{.out = out, .err = err, .env = [this](const std::string& name) {
                 return tokens.environment(name);
               }};
    return run_tool(io, words);
  }
  bool says(const std::string& what) const {
    return out.str().find(what) != std::string::npos;
  }
  schema::json json() const {
    const auto value = schema::parse_json(out.str());
    REQUIRE(value);
    return *value;
  }
};

} // namespace

TEST_CASE_METHOD(reached_fleet_fixture, "labels are changed and shown",
                 "[actors][shell][label_verbs]") {
  CHECK(run({"label", "try-a", "run=7", "old-"}) == exit_code::done);
  CHECK(out.str() == "try-a: run=7\n");
  CHECK(run({"note", "try-a", "before the upgrade"}) == exit_code::done);
  CHECK(out.str() == "try-a: before the upgrade\n");
  CHECK(run({"label", "try-a", "run"}) == exit_code::usage);
  CHECK(err.str().find("KEY=VALUE") != std::string::npos);
  CHECK(run({"label", "missing", "a=1"}) == exit_code::not_found);
}

TEST_CASE_METHOD(reached_fleet_fixture, "snapshots are listed by their labels",
                 "[actors][shell][label_verbs]") {
  CHECK(run({"snapshots", "--label", "run=1", "-o", "name"})
        == exit_code::done);
  CHECK(out.str() == "try-a\n");
  CHECK(run({"snapshots", "--label", "run", "--label", "x", "-o", "name"})
        == exit_code::done);
  CHECK(out.str().empty());
}

TEST_CASE_METHOD(reached_fleet_fixture, "inspect tells all that is known",
                 "[actors][shell][label_verbs]") {
  CHECK(run({"inspect", "try-a"}) == exit_code::done);
  CHECK(says("a note"));
  CHECK(says("(4096 bytes)"));
  CHECK(says("pinned by pinned=yes"));
  CHECK(run({"inspect", "try-a", "-o", "json"}) == exit_code::done);
  CHECK(json().at("unique_bytes") == 4096);
  CHECK(json().at("needed_by").at(0).at("name") == "damaged");
  CHECK(json().at("snapshot").at("labels").at(0) == "run=1");
  CHECK(run({"inspect", "nothing"}) == exit_code::not_found);
}

TEST_CASE_METHOD(reached_fleet_fixture, "diff tells pages and runs",
                 "[actors][shell][label_verbs]") {
  CHECK(run({"diff", "try-a", "damaged"}) == exit_code::done);
  CHECK(says("3 pages differ"));
  CHECK(run({"diff", "try-a", "damaged", "-o", "json"}) == exit_code::done);
  CHECK(json().at("table").size() == 2);
}

TEST_CASE_METHOD(reached_fleet_fixture, "a cascade shows its plan first",
                 "[actors][shell][label_verbs][safety]") {
  CHECK(run({"rm", "try-a", "--cascade"}) == exit_code::usage);
  CHECK(says("damaged"));
  CHECK(err.str().find("--yes") != std::string::npos);
  CHECK(run({"rm", "try-a", "--cascade", "--dry-run", "-o", "name"})
        == exit_code::done);
  CHECK(out.str() == "damaged\ntry-a\n");
  CHECK(run({"rm", "try-a", "--cascade", "--yes", "-o", "json"})
        == exit_code::done);
  CHECK(json().at(1).at("state") == "done");
  CHECK(run({"rm", "gone", "--cascade", "--yes"}) == exit_code::not_found);
  CHECK(run({"rm", "try-a", "--yes"}) == exit_code::usage);
}

TEST_CASE_METHOD(reached_fleet_fixture,
                 "why-kept tells what the retention says",
                 "[actors][shell][label_verbs]") {
  CHECK(run({"why-kept", "damaged"}) == exit_code::done);
  CHECK(says("retention: pinned by pinned=yes"));
}
