// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "node/keeper/options.hpp"

using namespace forkfleet;
using namespace forkfleet::keeper;

TEST_CASE("a keeper's command line is read up to its VM's",
          "[node][keeper][options]") {
  const auto x =
    parse_options({"--directory", "/run/vm", "--leash", "42", "--watchdog",
                   "w.sock", "--output", "65536", "--uid", "4000000000", "--",
                   "qemu", "--directory", "not ours"});
  REQUIRE(x);
  CHECK(x->directory == "/run/vm");
  CHECK(x->leash_pid == 42);
  CHECK(x->output_bytes == 65536);
  CHECK(x->uid == 4'000'000'000);
  CHECK(x->watchdog == "w.sock");
  CHECK(x->vmm == std::vector<std::string>{"qemu", "--directory", "not ours"});
}

TEST_CASE("a keeper without a VM only guards", "[node][keeper][options]") {
  const auto x = parse_options({"--directory", "/run/vm"});
  REQUIRE(x);
  CHECK(x->vmm.empty());
  CHECK(x->leash_pid == 0);
}

TEST_CASE("a wrong command line of a keeper is refused by name",
          "[node][keeper][options]") {
  using words = std::vector<std::string>;
  const auto [given, named] = GENERATE(table<words, std::string>({
    {words{}, "--directory"},
    {words{"--directory"}, "--directory"},
    {words{"--directory", "/d", "--leash", "4x"}, "4x"},
    {words{"--directory", "/d", "--leash", "-1"}, "-1"},
    {words{"--directory", "/d", "--uid", "0"}, "--uid"},
    {words{"--directory", "/d", "--uid", "4294967296"}, "--uid"},
    {words{"--directory", "/d", "--output", "-5"}, "--output"},
    {words{"--directory", "/d", "--verbose", "on"}, "--verbose"},
  }));
  const auto x = parse_options(given);
  REQUIRE_FALSE(x);
  CHECK(x.error().code == ec::invalid_request);
  CHECK(x.error().message.find(named) != std::string::npos);
}
