// SPDX-License-Identifier: Apache-2.0
#include "node/bench/csv.hpp"

#include <catch2/catch.hpp>

#include "node/bench/chain_sample.hpp"
#include "node/bench/text_table.hpp"

using namespace forkfleet::bench;
using namespace std::chrono_literals;
using forkfleet::schema::json;

TEST_CASE("records become a line each, after one of names", "[node][bench]") {
  chain_samples samples(2);
  samples[0].pause = 1500us;
  samples[1].arm = chain_arm::ours_diff;
  samples[1].method = "a \"b\", c";
  const auto text = csv_of(json_of(samples));
  CHECK(text.starts_with("part,arm,diff_mib,round,branch,pause_us,"));
  CHECK(text.find("\nrounds,before,0,0,0,1500,") != std::string::npos);
  CHECK(text.find("\nrounds,ours-diff,") != std::string::npos);
  CHECK(text.ends_with(",\"a \"\"b\"\", c\"\n"));
  CHECK(csv_of(json::array()).empty());
}

TEST_CASE("a table is even for people and valid as Markdown", "[node][bench]") {
  const text_table table{.head = {"arm", "µs"},
                         .rows = {{"before", "12"}, {"a|b", "1"}}};
  CHECK(plain_text(table) == "arm     µs\nbefore  12\na|b      1\n");
  CHECK(markdown(table)
        == "| arm | µs |\n|---|---:|\n| before | 12 |\n| a\\|b | 1 |\n");
}
