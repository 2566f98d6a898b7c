// SPDX-License-Identifier: Apache-2.0
#include "actors/shell/fleet_choice.hpp"

#include <map>

#include <catch2/catch.hpp>

using namespace forkfleet;
using namespace forkfleet::shell;

namespace {

struct chooser {
  std::map<std::string, std::string> variables = {{"HOME", "/home/ann"}};
  std::map<std::string, std::string> files = {};
  fleet_options options = {};

  expected<fleet_choice> choose() const {
    const auto env =
      [this](const std::string& name) -> std::optional<std::string> {
      const auto found = variables.find(name);
      if (found == variables.end())
        return std::nullopt;
      return found->second;
    };
    const file_view view{
      [this](const std::string& path) { return files.count(path) == 1; },
      [this](const std::string& path) {
        const auto found = files.find(path);
        return found == files.end() ? "" : found->second;
      }};
    return choose_fleet(options, env, view);
  }
};

const std::string context = "/home/ann/.local/state/forkfleet/current.fleet";

} // namespace

TEST_CASE_METHOD(chooser, "an option wins over environment, file and context",
                 "[actors][shell][fleet_choice]") {
  variables["FORKFLEET_FLEET"] = "env.yaml";
  files = {{"fleet.yaml", ""}, {context, "/last.yaml"}, {"/last.yaml", ""}};
  options.fleet = "given.yaml";
  CHECK(choose()->path == "given.yaml");
  options.fleet = "";
  CHECK(choose()->path == "env.yaml");
  variables.erase("FORKFLEET_FLEET");
  CHECK(choose()->path == "fleet.yaml");
  files.erase("fleet.yaml");
  CHECK(choose()->path == "/last.yaml");
}

TEST_CASE_METHOD(chooser, "with nothing to go by, the error tells every way",
                 "[actors][shell][fleet_choice]") {
  files = {{context, "/removed.yaml"}};
  const auto choice = choose();
  REQUIRE_FALSE(choice);
  CHECK(choice.error().code == ec::invalid_request);
  for (const char* way :
       {"--fleet", "--coordinator", "FORKFLEET_FLEET", "forkfleet up"})
    CHECK(choice.error().message.find(way) != std::string::npos);
}

TEST_CASE_METHOD(chooser, "a coordinator's address needs no file",
                 "[actors][shell][fleet_choice]") {
  options.coordinator = config::endpoint{"127.0.0.1", 7711};
  const auto choice = choose();
  REQUIRE(choice);
  CHECK(choice->path.empty());
  CHECK(choice->coordinator.port == 7711);
  options.fleet = "fleet.yaml";
  CHECK_FALSE(choose());
}

TEST_CASE_METHOD(chooser, "a token is given, or named by the environment",
                 "[actors][shell][fleet_choice]") {
  options.coordinator = config::endpoint{"127.0.0.1", 7711};
  CHECK(choose()->token.empty());
  variables["FORKFLEET_TOKEN"] = "env.token";
  CHECK(choose()->token == "env.token");
  options.token = "own.token";
  CHECK(choose()->token == "own.token");
  options.tls = {"ca.crt", "me.crt", "me.key"};
  CHECK_FALSE(choose());
  options.token = {};
  CHECK(choose()->token.empty());
}

TEST_CASE_METHOD(chooser, "another machine is only reached with certificates",
                 "[actors][shell][fleet_choice][safety]") {
  options.coordinator = config::endpoint{"10.0.0.1", 7711};
  REQUIRE_FALSE(choose());
  CHECK(choose().error().message.find("forkfleet pki") != std::string::npos);
  options.tls = {"ca.crt", "me.crt", ""};
  CHECK_FALSE(choose());
  options.tls.key = "me.key";
  CHECK(choose());
}

TEST_CASE_METHOD(chooser, "certificates without an address are refused",
                 "[actors][shell][fleet_choice]") {
  options.fleet = "fleet.yaml";
  options.tls = {"ca.crt", "me.crt", "me.key"};
  CHECK_FALSE(choose());
}

TEST_CASE("without a home there is no context",
          "[actors][shell][fleet_choice]") {
  const auto none = [](const std::string&) -> std::optional<std::string> {
    return {};
  };
  CHECK(context_path(none).empty());
  CHECK(remember_fleet("/fleet.yaml", none));
}
