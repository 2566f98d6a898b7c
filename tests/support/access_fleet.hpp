// SPDX-License-Identifier: Apache-2.0
// A fleet of one host with a guest that has an agent, and the tool as people
// use it: for tests of what is done in a guest.
#pragma once

#include <string>
#include <vector>

#include "tests/support/fleet_fixture.hpp"

namespace forkfleet::test {

/// All that is in a file; empty when there is none.
std::string content_of(const std::string& path);

/// The sandboxes are `box`, and `toy` without an agent, both on `h1`.
struct access_fleet : fleet_fixture {
  access_fleet();

  /// Whether the example guest was built; says `skip` when not.
  static bool can_run();

  /// What the tool printed last.
  std::string out() const { return content_of(here("out")); }
  std::string err() const { return content_of(here("err")); }
  std::string here(const std::string& name) const {
    return directory() + "/" + name;
  }

  /// A shell that becomes the tool, with stdin from `input` and stdout into
  /// `output`, which may be pipes.
  program_run begin(const std::vector<std::string>& words,
                    const std::string& input = "/dev/null",
                    const std::string& output = {});

  /// Its exit code.
  int run(const std::vector<std::string>& words,
          const std::string& input = "/dev/null");

  /// Starts all of it, and waits for the agent.
  void start_ready();
};

} // namespace forkfleet::test
