// SPDX-License-Identifier: Apache-2.0
#include "tests/support/access_fleet.hpp"

#include <fstream>
#include <iterator>
#include <sys/wait.h>

#include <catch2/catch.hpp>

#include "tests/support/skip.hpp"

namespace forkfleet::test {

using namespace std::chrono_literals;

namespace {

std::string quoted(const std::string& word) {
  auto text = std::string{"'"};
  for (const char c : word)
    text += c == '\'' ? std::string{"'\\''"} : std::string{c};
  return text + "'";
}

} // namespace

std::string content_of(const std::string& path) {
  auto in = std::ifstream{path, std::ios::binary};
  return {std::istreambuf_iterator<char>{in}, {}};
}

access_fleet::access_fleet()
  : fleet_fixture{{.sandboxes = agent_sandbox("box", "h1")
                                + simulated_sandbox("toy", "h1")}} {}

bool access_fleet::can_run() {
  const bool is_there = !agent_sandbox("box", "h1").empty();
  if (!is_there)
    skip("no example guest with an agent; run ./dev guest");
  return is_there;
}

program_run access_fleet::begin(const std::vector<std::string>& words,
                                const std::string& input,
                                const std::string& output) {
  auto line = "exec " + program_path("forkfleet") + " --coordinator "
              + "127.0.0.1:" + std::to_string(port());
  for (const auto& word : words)
    line += " " + quoted(word);
  return program_run{{"/bin/sh", "-c",
                      line + " <" + quoted(input) + " >"
                        + quoted(output.empty() ? here("out") : output) + " 2>"
                        + quoted(here("err"))},
                     log_of("tool")};
}

int access_fleet::run(const std::vector<std::string>& words,
                      const std::string& input) {
  auto tool = begin(words, input);
  const auto status = tool.wait(180s);
  REQUIRE(status >= 0);
  return WEXITSTATUS(status);
}

void access_fleet::start_ready() {
  start();
  REQUIRE(run({"wait", "box", "--for", "ready", "--timeout", "120s"}) == 0);
}

} // namespace forkfleet::test
