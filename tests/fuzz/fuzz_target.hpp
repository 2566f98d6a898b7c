// SPDX-License-Identifier: Apache-2.0
// A decoder of foreign bytes, to be called with any bytes at all. One file
// tests/fuzz/<name>_fuzz.cpp has one target:
//
//   FORKFLEET_FUZZ(name) {
//     static_cast<void>(decode(bytes));
//   }
//
// and tests/fuzz/CMakeLists.txt names it once. `./dev fuzz name` then looks for
// bytes that break it; the ordinary tests call it with all files of
// tests/fuzz/corpus/<name>/.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <map>
#include <span>
#include <string>
#include <string_view>

namespace forkfleet::test {

using fuzz_bytes = std::span<const uint8_t>;
using fuzz_function = void (*)(fuzz_bytes bytes);

/// All targets of this program, by name.
inline std::map<std::string, fuzz_function>& fuzz_targets() {
  static std::map<std::string, fuzz_function> targets;
  return targets;
}

/// Puts a target into the map; returns nothing of use.
inline bool add_fuzz_target(const char* name, fuzz_function run) {
  return fuzz_targets().emplace(name, run).second;
}

/// The bytes as text.
inline std::string_view text_of(fuzz_bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// What a decoder promises of every input; ends the program when it does not
/// hold.
inline void promise(bool holds) {
  if (!holds)
    std::abort();
}

} // namespace forkfleet::test

#define FORKFLEET_FUZZ(name)                                                   \
  static void fuzz_##name(forkfleet::test::fuzz_bytes bytes);                  \
  static const bool has_fuzz_##name =                                          \
    forkfleet::test::add_fuzz_target(#name, fuzz_##name);                      \
  static void fuzz_##name(forkfleet::test::fuzz_bytes bytes)
