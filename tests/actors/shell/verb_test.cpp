// SPDX-License-Identifier: Apache-2.0
#include "actors/shell/verb.hpp"

#include <fstream>
#include <set>
#include <sstream>

#include <catch2/catch.hpp>

#include "tests/actors/shell/temporary_directory.hpp"

using namespace forkfleet;
using namespace forkfleet::shell;

namespace {

struct tool : test::temporary_directory {
  std::ostringstream out;
  std::ostringstream err;

  exit_code run(const std::vector<std::string>& words) {
    out.str("");
    err.str("");
    session io{.out = out, .err = err, .env = [](const std::string&) {
                 return std::optional<std::string>{};
               }};
    return run_tool(io, words);
  }

  bool says(const std::string& part) const {
    return (out.str() + err.str()).find(part) != std::string::npos;
  }

  std::string file(const std::string& text) const {
    const auto name = path + "/fleet.yaml";
    std::ofstream{name} << text;
    return name;
  }
};

} // namespace

TEST_CASE("every verb has a summary, an example and documented options",
          "[actors][shell][verb]") {
  std::set<std::string> paths;
  for (const auto& x : all_verbs()) {
    CAPTURE(x.entry.path);
    CHECK(paths.insert(x.entry.path).second);
    CHECK(x.run != nullptr);
    CHECK(x.entry.summary.ends_with('.'));
    CHECK_FALSE(x.entry.examples.empty());
    for (const auto& option : x.entry.options)
      CHECK_FALSE(option.doc.empty());
  }
}

TEST_CASE_METHOD(tool, "a wrong command line ends with 2 and says why",
                 "[actors][shell][verb]") {
  using words = std::vector<std::string>;
  const auto wrong = GENERATE(
    words{"brnach", "web"}, words{"branch"}, words{"branch", "a", "b"},
    words{"branch", "web", "--count", "-1"},
    words{"branch", "web", "--count", "0"},
    words{"branch", "web", "--mode", "fast"},
    words{"branch", "web", "--deadline", "5"}, words{"nodes", "--foo"},
    words{"nodes", "-o", "xml"}, words{"send"}, words{"up", "--keep-sandboxes"},
    words{"pki", "issue", "node"}, words{"pki", "issue", "king"},
    words{"pki", "issue", "coordinator"},
    words{"nodes", "--coordinator", "10.0.0.1:7711"}, words{"stop"},
    words{"branch", "web", "--max-pause", "0ms"}, words{"cancel"},
    words{"verify"}, words{"verify", "a", "--all"}, words{"flatten"},
    words{"export", "a", "b"}, words{"import", "a"});
  CAPTURE(wrong);
  CHECK(run(wrong) == exit_code::usage);
  CHECK_FALSE(err.str().empty());
  CHECK(out.str().empty());
}

TEST_CASE_METHOD(tool, "help and version go to stdout and end with 0",
                 "[actors][shell][verb]") {
  CHECK(run({"help"}) == exit_code::done);
  CHECK(says("branch"));
  CHECK(run({"branch", "--help"}) == exit_code::done);
  CHECK(says("--count"));
  CHECK(says("Exit codes"));
  CHECK(run({"version"}) == exit_code::done);
  CHECK(says(FORKFLEET_VERSION));
  CHECK(err.str().empty());
}

TEST_CASE_METHOD(tool, "without a fleet the error tells how to name one",
                 "[actors][shell][verb]") {
  CHECK(run({"nodes"}) == exit_code::usage);
  CHECK(says("--fleet"));
  CHECK(run({"nodes", "-o", "json"}) == exit_code::usage);
  CHECK(schema::parse_json(out.str())->at("error").at("code")
        == "invalid_request");
}

TEST_CASE_METHOD(tool, "a wrong fleet file ends with 3 and its place",
                 "[actors][shell][verb]") {
  const auto name = file("version: 1\nhosts: []\nnmae: x\n");
  CHECK(run({"config", "validate", name}) == exit_code::configuration);
  CHECK(err.str().find(name + ":3:1") != std::string::npos);
  CHECK(run({"ls", "--fleet", name}) == exit_code::configuration);
  CHECK(run({"up", name}) == exit_code::configuration);
  CHECK(run({"config", "validate", name, "-o", "json"})
        == exit_code::configuration);
  CHECK(schema::parse_json(out.str())->at("problems").size() >= 2);
}

TEST_CASE_METHOD(tool, "a sound fleet file is told and can be shown",
                 "[actors][shell][verb]") {
  const auto name = file("version: 1\nname: tiny\nhosts:\n  - name: a\n");
  CHECK(run({"config", "validate", name}) == exit_code::done);
  CHECK(says("the fleet tiny is sound: 1 host, 0 sandboxes"));
  CHECK(run({"config", "show", name}) == exit_code::done);
  CHECK(says("branch_slots: 2"));
}

TEST_CASE_METHOD(tool, "a fleet that nobody answers for is unreachable",
                 "[actors][shell][verb]") {
  CHECK(run({"ls", "--coordinator", "127.0.0.1:1", "--token", "none"})
        == exit_code::unreachable);
  CHECK(err.str().find("127.0.0.1:1") != std::string::npos);
  const auto name = file("version: 1\nname: tiny\nstate: state\nhosts:\n"
                         "  - name: a\n");
  CHECK(run({"ls", "--fleet", name}) == exit_code::unreachable);
  CHECK(err.str().find("forkfleet up") != std::string::npos);
}

TEST_CASE_METHOD(tool, "a port of this machine is not dialled unproved",
                 "[actors][shell][verb][safety]") {
  CHECK(run({"ls", "--coordinator", "127.0.0.1:1"})
        == exit_code::not_permitted);
  CHECK(says("--token"));
}

TEST_CASE_METHOD(tool, "roles are for clients, tokens for loopback ports",
                 "[actors][shell][verb]") {
  CHECK(run({"pki", "issue", "node", "h1", "--role", "admin"})
        == exit_code::usage);
  CHECK(run({"pki", "issue", "client", "ann", "--role", "king"})
        == exit_code::usage);
  const auto name = file("version: 1\nname: tiny\nstate: state\nhosts:\n"
                         "  - name: a\n");
  CHECK(run({"pki", "token", "ann", "--fleet", name}) == exit_code::usage);
  CHECK(says("coordinator.listen"));
}

TEST_CASE_METHOD(tool, "a fleet that is not up needs no stopping",
                 "[actors][shell][verb]") {
  const auto name = file("version: 1\nname: tiny\nstate: state\nhosts:\n"
                         "  - name: a\n");
  CHECK(run({"down", name}) == exit_code::done);
  CHECK(says("not up"));
}

TEST_CASE_METHOD(tool, "send tells wrong messages as JSON",
                 "[actors][shell][verb]") {
  const auto code = [&] {
    return schema::parse_json(out.str())->at("error").at("code");
  };
  CHECK(run({"send", "brnach_request"}) == exit_code::usage);
  CHECK(says("branch_request"));
  CHECK(code() == "invalid_request");
  CHECK(run({"send", "branch_request", "{"}) == exit_code::usage);
  CHECK(code() == "invalid_request");
  CHECK(run({"send", "branch_request", R"({"sandbxo": "web"})"})
        == exit_code::usage);
  CHECK(says("sandbox"));
  CHECK(run({"send", "branch_request", R"({"sandbox": "a", "epoch": 3})"})
        == exit_code::usage);
}

TEST_CASE_METHOD(tool, "send lists and describes the messages",
                 "[actors][shell][verb]") {
  CHECK(run({"send", "--list"}) == exit_code::done);
  CHECK(says("branch_request"));
  CHECK(run({"send", "--schema", "branch_request"}) == exit_code::done);
  CHECK(schema::parse_json(out.str())->contains("reply"));
}
