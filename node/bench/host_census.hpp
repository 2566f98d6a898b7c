// SPDX-License-Identifier: Apache-2.0
// Counts what a run has on this host, to see that it does not grow. Knows no
// CAF.
#pragma once

#include <string>

#include "node/bench/fork_sample.hpp"

namespace forkfleet::bench {

/// Counts now. `directory` is where the VMs' directories are made.
host_reading take_census(const std::string& directory, uint64_t cycles);

} // namespace forkfleet::bench
