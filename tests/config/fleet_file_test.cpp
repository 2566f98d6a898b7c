// SPDX-License-Identifier: Apache-2.0
#include "config/fleet_file.hpp"

#include <catch2/catch.hpp>

using namespace forkfleet;
using namespace forkfleet::config;

namespace {

std::string refusal(std::string_view text) {
  endpoint ignored;
  return to_string(from_text(text, ignored));
}

} // namespace

TEST_CASE("an endpoint survives text", "[config][fleet_file]") {
  const auto* text = GENERATE("127.0.0.1:7711", "[::1]:1", "box.example:65535",
                              "[2001:db8::7]:80");
  endpoint x;
  REQUIRE_FALSE(from_text(text, x));
  CHECK(to_text(x) == text);
}

TEST_CASE("an endpoint that is refused leaves its target alone",
          "[config][fleet_file]") {
  endpoint x{"a", 1};
  const auto* text =
    GENERATE("a", ":1", "a:", "a:b", "a:0", "a:65536", "::1:80", "[a]:1",
             "[::1]", "a:1:2", "a:-1", "a: 1", "[]:1");
  CAPTURE(text);
  CHECK(from_text(text, x));
  CHECK(x == endpoint{"a", 1});
}

TEST_CASE("an empty endpoint is none", "[config][fleet_file]") {
  endpoint x{"a", 1};
  CHECK_FALSE(from_text("", x));
  CHECK(x.empty());
  CHECK(to_text(x).empty());
}

TEST_CASE("a refusal says what is missing", "[config][fleet_file]") {
  CHECK(refusal("box")
        == "'box' has no port (HOST:PORT, or [ADDRESS]:PORT for IPv6)");
  CHECK(refusal("box:0") == "'0' is not a port (1 to 65535)");
}

TEST_CASE("loopback is told by the host", "[config][fleet_file]") {
  CHECK(endpoint{"::1", 1}.is_loopback());
  CHECK_FALSE(endpoint{"10.0.0.1", 1}.is_loopback());
}

TEST_CASE("a size survives text", "[config][fleet_file]") {
  byte_size x;
  REQUIRE_FALSE(from_text("1536MiB", x));
  CHECK(x.value == 1536ull << 20);
  CHECK(to_text(x) == "1536MiB");
}
