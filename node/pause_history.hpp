// SPDX-License-Identifier: Apache-2.0
// Pure: foretells a pause from the pauses before it that were of its kind. Its
// size is bounded: a kind keeps its newest pauses, and the kind that was used
// longest ago makes room for a new one.
#pragma once

#include <compare>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "actors/error.hpp"
#include "node/vmm.hpp"

namespace forkfleet {

/// What makes two pauses alike: one does not tell of another kind.
struct pause_kind {
  std::string method = {}; // such as "stopped-copy"
  capture_scope scope = capture_scope::all;
  /// Where the VMM writes while the guest stands, such as tmpfs; empty: to
  /// memory only.
  std::string file_system = {};
  /// Whether the guest's memory is in the host's memory already, and need not
  /// be read in during the pause.
  bool is_resident = true;

  friend auto operator<=>(const pause_kind&, const pause_kind&) = default;
};

/// One pause that came to its end.
struct pause_sample {
  uint64_t bytes = 0; // copied while the guest stood
  microseconds pause{0};

  friend bool operator==(const pause_sample&, const pause_sample&) = default;
};

/// A prediction and what it rests on.
struct pause_prediction {
  microseconds pause{0};
  uint64_t samples = 0; // at least 1
};

class pause_history {
public:
  static constexpr std::size_t kinds_max = 64;
  static constexpr std::size_t samples_max = 16;

  /// A pause of the kind is tried. What branches were refused for is
  /// re-examined by it; until `learn` shows another pause, the next try is due
  /// later: after twice as many refusals, at most `refusals_max`.
  void begin(const pause_kind& kind);

  /// A pause ended. One much shorter than what branches were refused for makes
  /// the next try due soon again.
  void learn(const pause_kind& kind, const pause_sample& sample);

  /// The pause in which `bytes` are copied; empty without a pause of the kind.
  /// Never falls as `bytes` grow.
  std::optional<pause_prediction> predict(const pause_kind& kind,
                                          uint64_t bytes) const;

  /// How much the pauses of this kind copied: the median of the newest; empty
  /// without one.
  std::optional<uint64_t> usual_bytes(const pause_kind& kind) const;

  /// A branch was refused because its pause was predicted to be `predicted`.
  void refused(const pause_kind& kind, microseconds predicted);

  /// Whether so many were refused that the kind is to be measured anew: what
  /// is never tried is never learned.
  bool is_due(const pause_kind& kind) const;

  /// How many were refused since the last pause of the kind.
  uint64_t refusals(const pause_kind& kind) const;

  static constexpr uint64_t refusals_first = 4;
  static constexpr uint64_t refusals_max = 256;

private:
  struct row {
    pause_kind kind = {};
    std::deque<pause_sample> samples = {};
    uint64_t refusals = 0;
    uint64_t due_after = refusals_first;
    microseconds refused_for{0}; // the last prediction that refused one
    uint64_t used = 0;           // by `uses_`
  };

  const row* find(const pause_kind& kind) const;
  row& row_of(const pause_kind& kind);

  std::vector<row> rows_ = {};
  uint64_t uses_ = 0;
};

} // namespace forkfleet
