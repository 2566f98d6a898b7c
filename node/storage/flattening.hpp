// SPDX-License-Identifier: Apache-2.0
// Gives a sealed diff a flat image beside it: memory.bin and, when that is on
// the disk, flat.json. Clones the flat image at the end of its chain where
// that works, else copies. What it reads is checked before it is vouched for
// anew. Knows no CAF.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "node/storage/layered_image.hpp"
#include "node/storage/manifest.hpp"
#include "node/storage/paced_file.hpp"

namespace forkfleet {

/// What to flatten, and how.
struct flatten_job {
  std::string directory = {}; // of the snapshot
  snapshot_manifest manifest = {};
  std::shared_ptr<const layered_image> image = {};
  std::vector<sha256> base_extents = {}; // of the chain's flat image
  bool may_clone = false;
  pace how = {};
  std::shared_ptr<write_debt> debt = {};
};

/// Does it. After an error nothing is left, and nothing vouches for what
/// could not be removed: interrupted, disk_full, io_failed, snapshot_corrupt
/// when a part of the chain is not what was sealed.
status flatten_files(const flatten_job& job);

} // namespace forkfleet
