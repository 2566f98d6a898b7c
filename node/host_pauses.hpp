// SPDX-License-Identifier: Apache-2.0
// What the pauses of all VMs of a host came to, for those that had none of
// their own yet. Knows no CAF.
#pragma once

#include <memory>
#include <mutex>
#include <optional>

#include "node/pause_history.hpp"

namespace forkfleet {

/// Shared by the VMs of one driver. Thread-safe.
class host_pauses {
public:
  void learn(const pause_kind& kind, const pause_sample& sample);

  /// See pause_history.
  std::optional<pause_prediction> predict(const pause_kind& kind,
                                          uint64_t bytes) const;

private:
  mutable std::mutex mutex_;
  pause_history history_;
};

using host_pauses_ptr = std::shared_ptr<host_pauses>;

} // namespace forkfleet
