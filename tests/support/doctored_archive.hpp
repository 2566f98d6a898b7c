// SPDX-License-Identifier: Apache-2.0
// An archive as a stranger changes it: taken apart, altered, its hashes made
// to fit again, and packed as ours are.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "node/storage/manifest.hpp"

namespace forkfleet::test {

/// The content of an archive, small enough to be held in memory.
struct archive_parts {
  snapshot_manifest manifest = {};
  /// All files behind the manifest, in order.
  std::vector<std::pair<std::string, std::string>> files = {};

  /// One of them, by its name.
  std::string& file(const std::string& name);
  /// Flips a bit of one.
  void flip(const std::string& name, std::size_t at);
};

/// Takes an archive apart.
archive_parts unpack_archive(const std::string& path);

/// Packs the parts. The hashes of memory and vmstate, the root hash and the
/// manifest's are those of what is there; the signature is left as it is.
void pack_archive(const std::string& path, archive_parts parts);

/// Both, with a change in between.
void doctor_archive(const std::string& from, const std::string& to,
                    const std::function<void(archive_parts&)>& change);

} // namespace forkfleet::test
