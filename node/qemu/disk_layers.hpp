// SPDX-License-Identifier: Apache-2.0
// Freezes the disks of a running VM: an empty layer for each is opened while
// the guest runs, and made the active one in one step while it stands. What
// QEMU has is asked of QEMU, so a node that died in between knows it, too.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "node/qemu/disk_files.hpp"
#include "node/qemu/qmp_client.hpp"

namespace forkfleet::qemu {

/// From so many layers on a disk's layers are made one before the next branch.
inline constexpr std::size_t disk_layers_max = 16;

/// The disks of one VM. Used by one thread at a time.
class disk_layers {
public:
  /// The layers lie in `directory`; empty: none are ours. `qmp` outlives it.
  disk_layers(qmp_client& qmp, std::string directory)
    : qmp_{&qmp}, directory_{std::move(directory)} {}

  /// Opens the next layers. Clears away what an earlier branch left, and
  /// makes a long chain short, which takes as long as copying what its layers
  /// hold. unsupported names a disk that is written and is none of ours.
  status prepare(const std::function<bool()>& is_cancelled,
                 deadline_point until);

  /// The guest stands: the layers become active, all at once. After an error
  /// it may have happened or not; the guest writes on either way.
  status freeze(deadline_point until);

  /// What was frozen, for the snapshot; the VM cannot open it for writing any
  /// more.
  expected<std::vector<frozen_disk>> take();

  /// Closes layers that were not needed; also correct when there are none.
  void abandon() noexcept;

private:
  struct disk {
    uint64_t depth = 0; // files under the active layer, by QEMU's count
    uint64_t bytes = 0;
    std::vector<layer_name> layers = {}; // the lowest first
    layer_name next = {};
  };

  expected<std::vector<disk>> ask(deadline_point until);
  status find_layers(std::vector<disk>& disks, deadline_point until);
  expected<bool> close(const layer_name& layer, deadline_point until);
  status shorten(const disk& x, const std::function<bool()>& is_cancelled,
                 deadline_point until);
  status wait_for_job(const std::string& job,
                      const std::function<bool()>& is_cancelled,
                      deadline_point until);
  status open_next(disk& x, deadline_point until);
  std::string path_of(const layer_name& layer) const;

  qmp_client* qmp_;
  std::string directory_;
  std::vector<disk> disks_ = {};
  bool is_open_ = false;   // layers were opened and are not yet active
  bool is_frozen_ = false; // what lies below the next ones belongs to nobody
};

} // namespace forkfleet::qemu
