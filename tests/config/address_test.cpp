// SPDX-License-Identifier: Apache-2.0
#include "config/address.hpp"

#include <string>

#include <catch2/catch.hpp>

using namespace forkfleet::config;

TEST_CASE("names and addresses are hosts", "[config][address]") {
  const auto* good = GENERATE("box", "box-1.example", "10.0.0.1", "::1",
                              "2001:db8::7", "a_b", "1box");
  CAPTURE(good);
  CHECK(is_host(good));
}

TEST_CASE("what nobody could dial is no host", "[config][address]") {
  const auto* bad = GENERATE("", "a b", "-a", "a-", ".a", "a.", "300.1.1.1",
                             "1.2.3", "[::1]", "a/b", "a:1", "::g", "\u00e9");
  CAPTURE(bad);
  CHECK_FALSE(is_host(bad));
  CHECK_FALSE(is_host(std::string(254, 'a')));
}

TEST_CASE("only what cannot leave the machine is loopback",
          "[config][address][safety]") {
  const auto* here =
    GENERATE("localhost", "127.0.0.1", "127.9.9.9", "::1", "0:0:0:0:0:0:0:1");
  CHECK(is_loopback_host(here));
  const auto* elsewhere =
    GENERATE("0.0.0.0", "::", "128.0.0.1", "localhost.example", "12.7.0.1",
             "127.0.0.1.example", "", "10.0.0.1");
  CAPTURE(elsewhere);
  CHECK_FALSE(is_loopback_host(elsewhere));
  using namespace std::string_view_literals;
  CHECK_FALSE(is_loopback_host("127.0.0.1\0.example"sv));
}

TEST_CASE("wildcards are known in both families", "[config][address]") {
  CHECK(is_wildcard_host("0.0.0.0"));
  CHECK(is_wildcard_host("::"));
  CHECK_FALSE(is_wildcard_host("10.0.0.0"));
  CHECK_FALSE(is_wildcard_host("box"));
}
