// SPDX-License-Identifier: Apache-2.0
// Pure: whether a host has the memory for one VM more. A child shares its
// snapshot's memory until it writes: it is promised what it may come to write,
// not all that its guest has.
#pragma once

#include <string>
#include <vector>

#include "actors/error.hpp"
#include "config/limits_section.hpp"

namespace forkfleet {

/// What a VMM takes beside its guest's memory.
inline constexpr uint64_t vmm_overhead_bytes = 48ull << 20;

/// One VM, and what of its promise it has taken already.
struct memory_claim {
  uint64_t guest_bytes = 0;
  bool is_child = false;
  uint64_t limit_bytes = 0; // by its cgroup; 0: none
  uint64_t own_bytes = 0;   // that nobody else would give back
};

/// What a VM may come to take in all.
uint64_t promise_of(const memory_claim& x,
                    const config::limits_section& policy);

/// What the claims may still come to take.
uint64_t promised_to(const std::vector<memory_claim>& claims,
                     const config::limits_section& policy);

/// Whether `asked` is started beside `claims` on a host that could still give
/// `available`. host_full has the numbers.
status admit_memory(const memory_claim& asked,
                    const std::vector<memory_claim>& claims, uint64_t available,
                    const config::limits_section& policy);

} // namespace forkfleet
