// SPDX-License-Identifier: Apache-2.0
// Numbers and texts as bytes, as they stand in files and under hashes: big
// end first. Pure. Knows no CAF.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace forkfleet {

/// Appends a number as its eight bytes.
inline void append(std::vector<uint8_t>& to, uint64_t number) {
  for (int shift = 56; shift >= 0; shift -= 8)
    to.push_back(static_cast<uint8_t>(number >> shift));
}

/// Appends bytes, such as a hash.
inline void append(std::vector<uint8_t>& to, std::span<const uint8_t> bytes) {
  to.insert(to.end(), bytes.begin(), bytes.end());
}

/// Appends a text without its end.
inline void append(std::vector<uint8_t>& to, std::string_view text) {
  to.insert(to.end(), text.begin(), text.end());
}

/// The number in the eight bytes from `at` on.
inline uint64_t number_at(std::span<const uint8_t> bytes, std::size_t at) {
  uint64_t result = 0;
  for (const auto byte : bytes.subspan(at, 8))
    result = result << 8 | byte;
  return result;
}

} // namespace forkfleet
