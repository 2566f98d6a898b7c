// SPDX-License-Identifier: Apache-2.0
#include "config/bench_options.hpp"

#include <catch2/catch.hpp>

using namespace forkfleet::config;

TEST_CASE("the words made of a command line mean the same",
          "[config][bench_options]") {
  const std::vector<std::string> words{"chain",  "--fs",     "xfs",
                                       "--diff", "1MiB",     "--diff",
                                       "30MiB",  "--rounds", "2"};
  const auto given = parse(bench_command_line(), words);
  REQUIRE(given);
  const auto again = words_of(*given, "chain");
  CHECK(again.size() == words.size());
  const auto reparsed = parse(bench_command_line(), again);
  REQUIRE(reparsed);
  CHECK(reparsed->text("fs") == "xfs");
  CHECK(reparsed->texts("diff") == std::vector<std::string>{"1MiB", "30MiB"});
  CHECK(reparsed->number("rounds") == 2u);
  CHECK_FALSE(reparsed->has("gap"));
}

TEST_CASE("every verb of the benchmarks has help", "[config][bench_options]") {
  for (const auto& verb : bench_command_line().verbs) {
    const auto asked = parse(bench_command_line(), {verb.path, "--help"});
    REQUIRE_FALSE(asked);
    CHECK(asked.error().code == 0);
    CHECK(asked.error().text.find("--results") != std::string::npos);
  }
}
