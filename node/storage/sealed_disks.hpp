// SPDX-License-Identifier: Apache-2.0
// The disks of a snapshot: each layer is a file <disk>-<index>.qcow2 in its
// directory, linked to the one that the source's VM has, so that neither
// needs the other. Knows no CAF.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "actors/snapshot_protocol.hpp"
#include "node/snapshot_store.hpp"
#include "node/storage/manifest.hpp"

namespace forkfleet {

/// Which file, and when it was written last.
using layer_stamp = std::tuple<uint64_t, uint64_t, uint64_t, int64_t, int64_t>;

/// Hashes of layers that were sealed before: a chain's lower layers never
/// change, and are read once. Thread-safe, and bounded.
class layer_hashes {
public:
  std::optional<sealed_layer> find(const layer_stamp& stamp) const;
  void add(const layer_stamp& stamp, const sealed_layer& layer);

private:
  mutable std::mutex mutex_;
  std::map<layer_stamp, sealed_layer> known_;
};

/// Where a layer lies.
std::string layer_path(const std::string& directory, const std::string& disk,
                       std::size_t index);

/// Gives `from` the name `to`, too; copies and syncs it where the file system
/// cannot. `to` must be free.
status share_layer(const std::string& from, const std::string& to);

/// Size and hash of a layer's file; interrupted when `stop` says so.
expected<sealed_layer> hash_layer(const std::string& path,
                                  const stop_asked& stop = {});

/// Syncs, links and hashes all layers into `directory`; what the manifest
/// says of them. `known` may be null.
expected<std::vector<sealed_disk>>
seal_disks(const std::vector<frozen_disk>& disks, const std::string& directory,
           layer_hashes* known);

/// The disks of a sealed snapshot, for a child.
std::vector<frozen_disk> frozen_disks(const std::string& directory,
                                      const std::vector<sealed_disk>& disks);

/// The same for people.
std::vector<snapshot_disk>
describe_disks(const std::string& directory,
               const std::vector<sealed_disk>& disks);

/// What the layers in a directory take on the disk, shared or not.
uint64_t layers_stored_in(const std::string& directory);

/// What their removal would free: without those that have another name.
uint64_t layers_unique_in(const std::string& directory);

} // namespace forkfleet
