// SPDX-License-Identifier: Apache-2.0
#include "actors/log.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

using namespace forkfleet;
using namespace std::chrono_literals;

namespace {

std::string plain(log::fields facts) {
  return log::line_for(log::level::info, "branch.ended", facts, false);
}

} // namespace

TEST_CASE("an event is one line of words and values", "[actors][log]") {
  CHECK(plain({{"branch", operation_id{"op-7"}},
               {"outcome", ec::none},
               {"pause_us", 14870us},
               {"late", false},
               {"count", 3U}})
        == "info branch.ended branch=op-7 outcome=none pause_us=14870 "
           "late=false count=3");
}

TEST_CASE("no value can forge a field or a line", "[actors][log][safety]") {
  CHECK(plain({{"reason", "x outcome=none"}})
        == "info branch.ended reason=\"x outcome=none\"");
  CHECK(plain({{"reason", "a\nerror all.lost"}})
        == "info branch.ended reason=\"a\\nerror all.lost\"");
  CHECK(plain({{"reason", "a\"b\\"}})
        == "info branch.ended reason=\"a\\\"b\\\\\"");
  CHECK(plain({{"reason", ""}}) == "info branch.ended reason=\"\"");
}

TEST_CASE("no value can steer a terminal", "[actors][log][safety]") {
  const auto line = plain({{"reason", "\x1b[2J\x7f\xc2\x9b \xff\xfe ö"}});
  for (const auto c : line)
    CHECK((c >= ' ' && c < '\x7f'));
}

TEST_CASE("a JSON line is one object, whatever its values",
          "[actors][log][safety]") {
  const auto text = std::string{"\"},{\n\xff"};
  const auto line = log::line_for(
    log::level::warn, "x.y", {{"text", text}, {"n", -4}, {"b", true}}, true);
  const auto parsed = nlohmann::json::parse(line);
  CHECK(line.find('\n') == std::string::npos);
  CHECK(parsed["level"] == "warn");
  CHECK(parsed["event"] == "x.y");
  CHECK(parsed["n"] == -4);
  CHECK(parsed["b"] == true);
}

TEST_CASE("a failure is its code and its subject", "[actors][log]") {
  CHECK(plain({{"reason", failure{ec::disk_full, "/data"}}})
        == "info branch.ended reason=\"disk_full: /data\"");
}
