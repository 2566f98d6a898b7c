// SPDX-License-Identifier: Apache-2.0
// A directory of ours as a tar archive for a guest: files, directories and
// links with plain modes. Files with holes go beside it, piece by piece,
// because few guests' tar knows holes.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "actors/shell/beneath.hpp"

namespace forkfleet::shell {

/// A file that lies in the archive without its content.
struct sparse_entry {
  std::string path = {}; // here
  path_parts parts = {}; // in the archive
};

/// What was packed.
struct packed {
  uint64_t bytes = 0; // of the archive
  uint64_t left_out = 0;
  std::vector<std::string> examples = {}; // the first few that were
  std::vector<sparse_entry> sparse = {};
};

/// Packs the directory `from` as `name` into the new file `archive`. No link
/// in it is followed. cancelled when `is_stopped`.
expected<packed> pack(const std::string& from, const std::string& name,
                      const std::string& archive,
                      const std::function<bool()>& is_stopped);

} // namespace forkfleet::shell
