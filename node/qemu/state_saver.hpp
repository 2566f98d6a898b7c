// SPDX-License-Identifier: Apache-2.0
// Device state of a guest by `xen-save-devices-state`, which needs no Xen: one
// command while the guest stands, into memory that was made before.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "actors/unique_fd.hpp"
#include "node/qemu/qmp_client.hpp"

namespace forkfleet::qemu {

/// One saved state. Released when it is destroyed.
class state_saver {
public:
  explicit state_saver(qmp_client& qmp) : qmp_{&qmp} {}
  ~state_saver() { release(); }
  state_saver(const state_saver&) = delete;
  state_saver& operator=(const state_saver&) = delete;

  /// Makes the memory, and gives QEMU a way to write to it.
  status prepare(deadline_point until);

  /// Saves the state of a guest that stands, in place of one saved before.
  status save(deadline_point until);

  /// What was saved, as a child loads it.
  expected<std::vector<uint8_t>> loadable(std::string_view machine_type) const;

  /// Takes back what QEMU was given; also correct twice.
  void release() noexcept;

private:
  qmp_client* qmp_;
  unique_fd state_ = {};
  unique_fd writable_ = {}; // QEMU's end shares its place with this one
  std::optional<uint64_t> fd_set_ = {};
};

} // namespace forkfleet::qemu
