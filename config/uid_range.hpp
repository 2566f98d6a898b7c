// SPDX-License-Identifier: Apache-2.0
// Pure: the user ids that a host gives to its VMs, as the fleet file writes
// them: FIRST-LAST, or none.
#pragma once

#include <cstdint>
#include <string_view>

#include "actors/error.hpp"

namespace forkfleet {

/// Both ends are in it. No range: VMs have no users of their own.
struct uid_range {
  uint32_t first = 0; // 0: there is none
  uint32_t last = 0;

  bool empty() const { return first == 0; }
  uint64_t size() const { return empty() ? 0 : uint64_t{last} - first + 1; }
  bool contains(uint64_t uid) const {
    return !empty() && uid >= first && uid <= last;
  }
  friend bool operator==(const uid_range&, const uid_range&) = default;
};

/// "4000000000-4000999999" or "none". Neither root, nor the users that a
/// distribution gives away (below 65536), nor 4294967295, which is no user.
/// invalid_request tells what is wrong.
expected<uid_range> parse_uid_range(std::string_view text);

} // namespace forkfleet
