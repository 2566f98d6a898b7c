// SPDX-License-Identifier: Apache-2.0
// The directory of one sealed snapshot: manifest.json and vmstate, and the
// memory in one or both of its forms:
//   flat  memory.bin, vouched for by manifest.json
//   diff  memory.diff; later memory.bin with flat.json, and then memory.diff
//         goes
// and labels.json where something is said of it.
// Knows nothing of other snapshots. Knows no CAF.
#pragma once

#include <string>
#include <vector>

#include "node/storage/flat_record.hpp"
#include "node/storage/manifest.hpp"

namespace forkfleet {

/// The manifest in `directory`, which must be of `tag`; the files that it
/// speaks of are there and have their sizes. snapshot_corrupt names the path.
expected<snapshot_manifest> read_sealed(const std::string& directory,
                                        const snapshot_tag& tag);

/// The record beside a diff. snapshot_corrupt when it is not valid.
expected<flat_record> read_flat_record(const std::string& directory,
                                       const snapshot_manifest& manifest);

/// Whether all of the memory lies in a memory.bin that is vouched for.
bool is_flat(const std::string& directory, const snapshot_manifest& manifest);

/// The hashes of memory.bin's extents, of whichever file vouches for it.
expected<std::vector<sha256>> flat_extents(const std::string& directory,
                                           const snapshot_manifest& manifest);

/// What the snapshot takes on the disk.
uint64_t stored_bytes_of(const std::string& directory);

/// What of it no other file shares: what its removal would free.
uint64_t unique_bytes_of(const std::string& directory);

/// Removes what a flatten that was interrupted left: a flat image that
/// nothing vouches for, or a diff that is needed no more. True when there was
/// something.
expected<bool> clear_leftovers(const std::string& directory,
                               const snapshot_manifest& manifest);

} // namespace forkfleet
