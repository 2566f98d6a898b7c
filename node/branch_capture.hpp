// SPDX-License-Identifier: Apache-2.0
// The first half of a branch, while its guest runs: takes the best way that
// estimate and store allow, stages its files, and brings the VM to where a
// pause is within its budget. Knows no CAF.
#pragma once

#include "node/branch_plan.hpp"
#include "node/branch_record.hpp"
#include "node/pause_budget.hpp"

namespace forkfleet {

/// One branch's way from its plan to its pause. Context, request and record
/// outlive it.
class branch_capture {
public:
  branch_capture(const branch_context& context, const branch_request& request,
                 branch_record& record);

  /// Finds the ways, and waits until earlier snapshots' data is below its
  /// bound.
  status choose();

  /// Stages the files of the best way that is to be had.
  status open();

  /// Prepares, refines and waits until the pause is within its budget, and
  /// notes in the journal that the guest is about to stand still. Errors:
  /// pause_too_long, cancelled, deadline_exceeded, those of VM and store.
  status approach();

  /// Adds to a report of a full disk how many bytes are missing, whichever
  /// write it was that failed.
  void note_missing();

  /// Ends what is left of it: the driver's capture, unless it is committed,
  /// and the open files.
  void close();
  void commit(const std::string& root_hash);

  staging_area& files() { return *staging_; }

private:
  const mode_choice& way() const { return plan_.ways[way_]; }
  bool has_alternative() const;
  status settle();
  status open_way();
  status flatten_base();
  status stage_files(const capture_estimate& estimate);
  void note_reservation(const reservation& x);
  void note_forecast(const capture_forecast& forecast);
  status check_time() const;
  status mark_pause();
  status pause_now(const pause_budget& budget);
  uint64_t needed_bytes() const;
  expected<capture_forecast> refine_after(microseconds delay);
  status change_way(const failure& why);
  void wait(microseconds delay);

  const branch_context& context_;
  const branch_request& request_;
  branch_record& record_;
  branch_plan plan_ = {};
  std::size_t way_ = 0;
  capture_plan capture_ = {};
  staging_ptr staging_ = {};
  uint64_t expected_bytes_ = 0; // of the estimate; 0: none was made
  bool is_prepared_ = false;    // the driver holds a capture in progress
  bool is_marked_ = false;      // in the journal
};

} // namespace forkfleet
