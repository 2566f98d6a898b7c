// SPDX-License-Identifier: Apache-2.0
// The files of a VM's writable disks in its directory. The base that the fleet
// file names is only read; what the guest writes goes to the uppermost qcow2
// layer, `disk0-3.qcow2`, which is this VM's alone.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "actors/schema/json_text.hpp"
#include "node/driver.hpp"
#include "node/qemu/machine.hpp"

namespace forkfleet::qemu {

using schema::json;

/// A layer's place: which disk, and the how manieth over its base.
struct layer_name {
  std::size_t disk = 0;
  std::size_t index = 0;

  /// Of the node in QEMU: disk0-3.
  std::string node() const;
  /// Of the file: disk0-3.qcow2.
  std::string file() const;

  friend bool operator==(const layer_name&, const layer_name&) = default;
};

/// The layer of a node's name; nothing for any other node.
std::optional<layer_name> parse_layer(std::string_view node);

/// Makes the files of all writable disks in the plan's directory: for a child
/// the snapshot's layers, shared, and over them an empty one. Each disk's
/// nodes, the lowest first; none for a disk that is read only.
expected<std::vector<std::vector<json>>> make_layers(const start_plan& plan,
                                                     const machine& x);

/// A layer as QEMU's blockdev-add takes it, over the node `backing`; empty:
/// over none yet. `is_active`: the guest writes it.
json layer_node(const layer_name& name, const std::string& backing,
                bool is_active);

} // namespace forkfleet::qemu
