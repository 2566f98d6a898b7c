// SPDX-License-Identifier: Apache-2.0
// What this host is busy with. Knows no CAF.
#pragma once

#include <cstdint>
#include <string>

namespace forkfleet::bench {

/// The bytes of an item of /proc/meminfo, such as "Dirty"; 0 when there is
/// none.
uint64_t meminfo_bytes(const std::string& item);

/// The first figure of /proc/loadavg.
std::string load_average();

} // namespace forkfleet::bench
