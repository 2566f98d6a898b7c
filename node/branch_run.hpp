// SPDX-License-Identifier: Apache-2.0
// One BRANCH from the reservation to the sealed snapshot, on the calling
// thread. The pause window lies inside one function of the source. Knows no
// CAF, no clock and no file: all come with the context.
#pragma once

#include <chrono>
#include <functional>

#include "actors/fleet_protocol.hpp"
#include "config/fleet_file.hpp"
#include "node/branch_cancel.hpp"
#include "node/operation_journal.hpp"
#include "node/pause_gate.hpp"
#include "node/snapshot_store.hpp"
#include "node/vmm.hpp"

namespace forkfleet {

/// What a branch works with. All of it outlives the call.
struct branch_context {
  vmm_ptr vmm = {};
  snapshot_store_ptr store = {};
  operation_journal_ptr journal = {};
  host_name host = {};
  snapshot_tag parent = {};   // the snapshot that the source came from
  sandbox_limits limits = {}; // the source's
  config::branch_section policy = {};
  /// Closed while this branch's guest stands; may be empty.
  pause_gate_ptr gate = {};
  /// The steady clock, and the time when the node took the request.
  std::function<std::chrono::steady_clock::time_point()> now = {};
  std::chrono::steady_clock::time_point arrival = {};
  /// Asked before each stage but those of the pause window; null: never.
  branch_cancel_ptr cancel = {};
  /// Waits until then; empty: on the branch's cancel, which cuts it short.
  std::function<void(std::chrono::steady_clock::time_point)> wait_until = {};
  /// Unix time.
  std::function<microseconds()> wall = {};
  /// Hears of each stage that ended. Never called in the pause window.
  std::function<void(const fleet_event&)> tell = {};
};

/// How it ended, and the snapshot when there is one.
struct branch_result {
  branch_report report = {};
  snapshot_info snapshot = {}; // its tag is empty when there is none
};

/// Takes the branch. Whatever fails, resume has been tried when it returns,
/// nothing half-made is visible, and the journal has the outcome.
branch_result run_branch(const branch_context& context,
                         const branch_request& request);

} // namespace forkfleet
