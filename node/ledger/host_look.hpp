// SPDX-License-Identifier: Apache-2.0
// Sees what of a node is on this host: its data directory, its capture space
// in memory, and its processes. Changes nothing. Knows no CAF.
#pragma once

#include <string>
#include <vector>

#include "actors/error.hpp"
#include "node/ledger/ledger.hpp"

namespace forkfleet {

/// Where to look.
struct look_plan {
  std::string data = {}; // absolute
  std::string fast_directory = "/dev/shm";
  std::string processes = "/proc";
};

/// All that is there; io_failed names what could not be looked at. What goes
/// away meanwhile is left out.
expected<std::vector<ledger_thing>> look_at_host(const look_plan& plan);

/// The processes of the sandboxes below `data`: keepers, and VMMs that a
/// record names, a keeper started, or their name tells. Others that merely
/// stand in these directories are nobody's business.
expected<std::vector<ledger_thing>> look_at_processes(const look_plan& plan);

} // namespace forkfleet
