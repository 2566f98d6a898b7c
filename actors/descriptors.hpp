// SPDX-License-Identifier: Apache-2.0
// The file descriptors of this process: how many it may have, and how many
// are open. Knows no CAF.
#pragma once

#include <cstdint>

namespace forkfleet {

/// What was seen of them. `is_known` is false when that could not be found
/// out, which is so when none is left.
struct descriptor_sample {
  bool is_known = false;
  uint64_t max = 0;
  uint64_t open = 0;

  friend bool operator==(const descriptor_sample&,
                         const descriptor_sample&) = default;
};

/// Raises what the process may have to what it may raise it to. Called once,
/// when a program begins; what it starts has the same.
void raise_descriptor_limit() noexcept;

/// Counts them. Does not block.
descriptor_sample count_descriptors();

} // namespace forkfleet
