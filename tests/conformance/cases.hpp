// SPDX-License-Identifier: Apache-2.0
// What every driver must do, case by case, whatever VMM it drives. Each takes
// a subject of its own.
#pragma once

#include <string>
#include <vector>

#include "tests/conformance/subject.hpp"

namespace forkfleet::test {

/// One case. It checks with Catch.
struct conformance_case {
  std::string name = {}; // a sentence that is true of the driver
  void (*run)(conformance_subject&) = nullptr;
};

/// Snapshots are right; failures are harmless; a VM's life is managed.
std::vector<conformance_case> capture_cases();
std::vector<conformance_case> failure_cases();
std::vector<conformance_case> life_cases();

/// All of them.
std::vector<conformance_case> conformance_cases();

} // namespace forkfleet::test
