// SPDX-License-Identifier: Apache-2.0
// Captures of one real guest by several ways in turn: each is timed by us, by
// QEMU and by the guest, and each snapshot is restored and checked. Knows no
// CAF.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "node/bench/branch_place.hpp"
#include "node/bench/guest_vm.hpp"
#include "node/bench/pause_sample.hpp"

namespace forkfleet::bench {

/// One VM under the benchmark.
class vm_captures {
public:
  /// `place` and `driver` outlive it.
  static expected<std::unique_ptr<vm_captures>>
  start(vmm_driver& driver, branch_place& place, guest_plan plan);

  /// Takes a full snapshot that is in no table, so that the first diff has a
  /// base.
  status take_base();

  /// Captures once. A failure stands in the sample's remark.
  pause_sample capture(capture_way way, uint64_t number, bool checked);

  /// Whether the way was refused as one that this VM has not.
  bool lacks(capture_way way) const { return lacking_.contains(way); }

  /// Restores a snapshot whose second half is of a later instant: how its
  /// child found that out, "" when it did not; an error when no child of it
  /// could be started.
  expected<std::string> find_torn();

private:
  vm_captures(vmm_driver& driver, branch_place& place, guest_plan plan)
    : driver_(driver), place_(place), plan_(std::move(plan)) {}

  struct window {
    guest::host_time from = {};
    guest::host_time to = {};
  };

  status take_uncounted(branch_mode mode);
  status capture_by_hand(capture_way way, pause_sample& sample);
  status capture_by_branch(capture_way way, pause_sample& sample,
                           window& pause);
  snapshot_tag fresh_tag();
  void check(pause_sample& sample);
  void note_gap(pause_sample& sample, uint64_t second,
                std::chrono::microseconds lost) const;
  void forget_old();
  expected<snapshot_files> torn_files(const snapshot_tag& early,
                                      const snapshot_tag& late);

  vmm_driver& driver_;
  branch_place& place_;
  guest_plan plan_;
  std::unique_ptr<guest_vm> vm_ = {};
  std::optional<hand_capture> hand_ = {};
  snapshot_tag last_ = {};
  uint64_t tags_ = 0;
  std::set<capture_way> lacking_ = {};
};

} // namespace forkfleet::bench
