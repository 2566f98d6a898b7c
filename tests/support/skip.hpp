// SPDX-License-Identifier: Apache-2.0
// How a test says that it cannot run on this machine. Catch2 v2 knows no
// skipped tests, so the line is counted by ./dev test.
#pragma once

#include <cstdio>
#include <string>

#include <catch2/catch.hpp>

namespace forkfleet::test {

/// Says that the test at hand cannot run here, and why. The test returns
/// right after it: `if (!has_kvm()) return skip("no /dev/kvm here");`
inline void skip(const std::string& reason) {
  const auto name = Catch::getResultCapture().getCurrentTestName();
  std::printf("SKIPPED: %s: %s\n", name.c_str(), reason.c_str());
  std::fflush(stdout);
  SUCCEED("skipped: " + reason);
}

} // namespace forkfleet::test
