// SPDX-License-Identifier: Apache-2.0
// What a driver foretells of one VM's next pause where it cannot measure it
// beforehand: by this VM's own pauses of the kind, else by those of other VMs
// of this host, else by an assumption that is said to be one. Knows no clock.
#pragma once

#include <optional>
#include <utility>

#include "node/host_pauses.hpp"

namespace forkfleet {

/// Used by one thread at a time.
class vm_pauses {
public:
  /// `host` may be null.
  explicit vm_pauses(host_pauses_ptr host = {}) : host_{std::move(host)} {}

  /// The pause of this kind in which `bytes` are copied; `assumed` where
  /// nothing of the kind was measured.
  capture_forecast forecast(const pause_kind& kind, uint64_t bytes,
                            microseconds assumed);

  /// A pause of the last forecast's kind is tried.
  void begin();

  /// A pause of this kind came to its end.
  void learn(const pause_kind& kind, const pause_sample& sample);

  /// The branch of the last forecast is not taken because of it.
  void refused();

  /// Whether so many were refused for pauses of the kind that one is due.
  bool is_due(const pause_kind& kind) const { return own_.is_due(kind); }

  /// How much this VM's pauses of the kind copied; empty without one.
  std::optional<uint64_t> usual_bytes(const pause_kind& kind) const {
    return own_.usual_bytes(kind);
  }

  /// Whether a pause of the kind was measured, of this VM or of another.
  bool knows(const pause_kind& kind) const;

private:
  host_pauses_ptr host_;
  pause_history own_;
  pause_kind last_ = {}; // of the last forecast
  microseconds predicted_{0};
};

} // namespace forkfleet
