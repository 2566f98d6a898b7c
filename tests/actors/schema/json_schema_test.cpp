// SPDX-License-Identifier: Apache-2.0
#include "actors/schema/json_schema.hpp"

#include <catch2/catch.hpp>

#include "actors/fleet_protocol.hpp"
#include "config/fleet_file.hpp"

using namespace forkfleet;
using namespace forkfleet::schema;

TEST_CASE("a message's schema says what its decoder accepts",
          "[actors][json_schema]") {
  const auto schema = json_schema<branch_request>();
  CHECK(schema["$schema"] == "http://json-schema.org/draft-07/schema#");
  CHECK(schema["title"] == "branch_request");
  CHECK(schema["additionalProperties"] == false);
  CHECK(schema["required"] == json::array({"sandbox"}));
  const auto& mode = schema["properties"]["mode"];
  CHECK(mode["enum"] == json::array({"auto", "full", "live", "diff"}));
  CHECK(mode["default"] == "auto");
  CHECK(mode["description"] == "What to capture.");
  CHECK(schema["properties"]["deadline_ms"]["type"] == "integer");
}

TEST_CASE("a script's schema leaves out what scripts may not set",
          "[actors][json_schema]") {
  const auto ours = json_schema<branch_request>();
  const auto scripts = json_schema<branch_request>({.script = true});
  CHECK(ours["properties"].contains("epoch"));
  CHECK_FALSE(scripts["properties"].contains("epoch"));
  CHECK(scripts["properties"]["deadline_ms"]["minimum"] == 0);
}

TEST_CASE("records and lists are described inside", "[actors][json_schema]") {
  const auto schema = json_schema<branch_report>();
  const auto& stages = schema["properties"]["stages"];
  CHECK(stages["type"] == "array");
  CHECK(stages["items"]["properties"]["start_us"]["type"] == "integer");
  CHECK(schema["properties"]["outcome"]["additionalProperties"] == false);
}

TEST_CASE("in YAML, times and sizes are text with a unit",
          "[actors][json_schema]") {
  const auto schema = json_schema<config::fleet_file>({.yaml = true});
  const auto& branch = schema["properties"]["branch"]["properties"];
  CHECK(branch["deadline"]["default"] == "1min");
  CHECK(branch["deadline"]["anyOf"][0]["pattern"]
        == "^[0-9]+(ns|us|ms|s|min|h)$");
  CHECK(branch["deadline"]["anyOf"][1]["pattern"] == "\\$\\{");
  const auto& sandbox =
    schema["properties"]["sandboxes"]["items"]["properties"];
  CHECK(sandbox["memory"]["default"] == "256MiB");
  CHECK(sandbox["vcpus"]["anyOf"][0]["minimum"] == 0);
}

TEST_CASE("limits that doubles cannot hold are left out",
          "[actors][json_schema]") {
  const auto schema = json_schema<node_load>();
  CHECK_FALSE(schema["properties"]["branches"].contains("maximum"));
  CHECK(schema["properties"]["branches"]["minimum"] == 0);
}
