// SPDX-License-Identifier: Apache-2.0
// Whether bytes are all zeros. Pure. Knows no CAF.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>

namespace forkfleet {

/// Whether there is nothing but zeros.
inline bool is_zero(std::span<const uint8_t> bytes) {
  return bytes.empty()
         || (bytes[0] == 0
             && std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1)
                  == 0);
}

} // namespace forkfleet
