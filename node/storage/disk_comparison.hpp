// SPDX-License-Identifier: Apache-2.0
// What was written to the disks of two snapshots since both had the same.
// Knows no CAF.
#pragma once

#include <string>
#include <vector>

#include "node/snapshot_store.hpp"
#include "node/storage/manifest.hpp"

namespace forkfleet {

/// A sealed snapshot's disks, and where their layers lie.
struct compared_disks {
  std::string directory = {};
  std::vector<sealed_disk> disks = {};
};

/// Bytes of the clusters that a layer of either holds and that lies over
/// those which both have. No data is read, only the layers' tables.
/// interrupted when `stop` says so.
expected<uint64_t> compare_disks(const compared_disks& a,
                                 const compared_disks& b,
                                 const stop_asked& stop);

} // namespace forkfleet
