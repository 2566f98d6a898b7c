// SPDX-License-Identifier: Apache-2.0
#include "node/confinement.hpp"

#include <fstream>
#include <string>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "node/network/apart.hpp"
#include "tests/support/skip.hpp"

using namespace forkfleet;
using namespace std::chrono_literals;

namespace {

std::string line_of(const std::string& word) {
  auto file = std::ifstream{"/proc/self/status"};
  for (std::string line; std::getline(file, line);)
    if (line.starts_with(word + ":\t"))
      return line.substr(word.size() + 2);
  return {};
}

std::string all_sets() {
  auto text = std::string{};
  for (const auto* word : {"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"})
    text += line_of(word) + " ";
  return text + line_of("NoNewPrivs");
}

bool can_run() {
  const bool is_root = has_capabilities(node_capabilities());
  if (!is_root)
    test::skip("no capabilities to give up: not root");
  return is_root;
}

constexpr const char* none = "0000000000000000 ";

} // namespace

TEST_CASE("what is given up is gone for good", "[node][confinement][safety]") {
  if (!can_run())
    return;
  const auto seen = run_apart(
    []() -> expected<std::string> {
      if (auto kept = keep_only(keeper_capabilities()); !kept)
        return tl::unexpected(kept.error());
      // Not even by asking for it again.
      static_cast<void>(keep_only(node_capabilities()).has_value());
      return all_sets();
    },
    10s);
  REQUIRE(seen);
  const auto kill = std::string{"0000000000000020 "};
  CHECK(*seen == none + kill + kill + none + none + "1");
}

TEST_CASE("a program of root's has what it was given and no more",
          "[node][confinement][safety]") {
  if (!can_run())
    return;
  const auto seen = run_apart(
    []() -> expected<std::string> {
      if (const int error = confine_program(keeper_capabilities()); error != 0)
        return tl::unexpected(errno_failure(error, "confine"));
      ::execl("/bin/grep", "grep", "-q", "^CapEff:.0000000000000020$",
              "/proc/self/status", nullptr);
      return fail(ec::io_failed, "exec");
    },
    10s);
  // The program ends without an answer; grep ends with 0 when it found it.
  REQUIRE_FALSE(seen);
  CHECK_THAT(seen.error().message, Catch::Contains("ended with 0"));
}

TEST_CASE("what a node never needs it does not keep", "[node][confinement]") {
  // To load modules, to set the clock, to make devices, to reboot.
  for (const int capability : {16, 25, 27, 22})
    CHECK((node_capabilities() >> capability & 1) == 0);
  CHECK((node_capabilities() & keeper_capabilities()) == keeper_capabilities());
  CHECK((vm_process_capabilities(true, true) & node_capabilities())
        == vm_process_capabilities(true, true));
}
