// SPDX-License-Identifier: Apache-2.0
// Gives what libFuzzer makes up to the one target of this program.
#include "tests/fuzz/fuzz_target.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, std::size_t size) {
  forkfleet::test::fuzz_targets().begin()->second({data, size});
  return 0;
}
