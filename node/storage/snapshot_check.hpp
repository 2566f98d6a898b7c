// SPDX-License-Identifier: Apache-2.0
// Reads all that a sealed snapshot has on the disk and compares every hash.
// Knows no CAF.
#pragma once

#include <string>

#include "node/snapshot_store.hpp"
#include "node/storage/manifest.hpp"

namespace forkfleet {

/// Adds up what was checked.
class snapshot_check {
public:
  explicit snapshot_check(stop_asked stop) : stop_{std::move(stop)} {}

  /// Compares the memory in `directory`, in each form that it has there.
  /// snapshot_corrupt names the first part that differs; interrupted.
  status memory(const std::string& directory,
                const snapshot_manifest& manifest);

  /// Compares the device state.
  status vmstate(const std::string& directory,
                 const snapshot_manifest& manifest);

  /// Compares every layer of the disks.
  status disks(const std::string& directory, const snapshot_manifest& manifest);

  const verify_result& result() const { return result_; }

private:
  status flat(const std::string& directory, const snapshot_manifest& manifest);
  status diff(const std::string& directory, const snapshot_manifest& manifest);

  stop_asked stop_;
  verify_result result_ = {};
};

} // namespace forkfleet
