// SPDX-License-Identifier: Apache-2.0
// Work in a process of its own that may be killed on its way, and what it
// had said by then: what a client would know of it.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace forkfleet::test {

/// Says one line to the parent, at once: it is known whatever comes after.
using teller = std::function<void(const std::string&)>;

/// How a process ended.
struct death {
  int signal = 0; // 0: it ended by itself
  int status = 0; // its exit status then; 0 when the work returned
  std::vector<std::string> told = {};

  bool knows(const std::string& line) const;
};

/// Runs `work` in a process of its own, to its end or its death.
death death_of(const std::function<void(const teller&)>& work);

} // namespace forkfleet::test
