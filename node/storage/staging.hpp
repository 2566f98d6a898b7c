// SPDX-License-Identifier: Apache-2.0
// A snapshot's directory on its way from empty to sealed: its files are made
// and reserved before the pause, and completed after the resume. Knows
// nothing of tags. Knows no CAF.
#pragma once

#include <string>

#include "node/snapshot_store.hpp"
#include "node/storage/manifest.hpp"

namespace forkfleet {

/// Where to stage: `<parent>/<name>`, on a file system of this name.
struct staging_place {
  std::string parent = {};
  std::string name = {};
  std::string file_system = {};

  std::string directory() const { return parent + "/" + name; }
};

/// All that a snapshot may take on the disk: memory, vmstate, manifest.
uint64_t needed_bytes(const staging_request& request);

/// "needs 10 bytes in PATH: 6 free, 4 missing", as disk_full.
staging_failure no_room(const staging_place& place, uint64_t needed,
                        uint64_t free);

/// Makes the directory and its three files, memory.bin with its full size,
/// and reserves them as the policy says. After an error nothing is left. A
/// directory of the same name that an earlier life left is replaced.
tl::expected<staging_ptr, staging_failure>
make_staging(const staging_request& request, const staging_place& place);

/// Completes what is staged in `directory`: cuts vmstate to its size, hashes,
/// writes the manifest, and syncs all of it. Adds sizes, hashes and the time
/// to `manifest`. A rename may follow.
expected<snapshot_manifest> complete_staging(const std::string& directory,
                                             const staging_area& files,
                                             snapshot_manifest manifest);

} // namespace forkfleet
