// SPDX-License-Identifier: Apache-2.0
// One way to capture a QEMU guest. qemu_vmm picks a method per branch and
// sees to what all share: the keeper's lease and the guest's resume.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "node/qemu/arena.hpp"
#include "node/qemu/keeper_link.hpp"
#include "node/qemu/page_tracker.hpp"
#include "node/qemu/pause_model.hpp"
#include "node/qemu/qmp_client.hpp"
#include "node/vm_pauses.hpp"
#include "node/vmm.hpp"

namespace forkfleet::qemu {

/// What a method works with; outlives it.
struct capture_context {
  qmp_client& qmp;
  keeper_link* keeper; // null: nobody guards the guest
  arena_pool& arenas;
  pause_model& model;
  vm_pauses& pauses;
  page_tracker* tracker;              // null: changes are not tracked
  std::vector<std::string>& warnings; // for the report
  uint64_t memory_bytes = 0;
  std::string memory_block = {}; // empty: the one block of that size
  std::string memory_path = {};  // the image that a child maps
  uint64_t memory_begin = 0;     // its address in QEMU; 0: not known
  bool takes_input = false;      // a device may write memory in the pause
  std::string machine_type = {}; // as QEMU names it
};

/// A capture in progress. The calls come in vmm's order; resume is
/// qemu_vmm's own. Destroyed after drain or abandon.
class capture_method {
public:
  virtual ~capture_method() = default;

  /// Its name in the report.
  virtual std::string_view name() const = 0;

  /// Whether the guest runs again by itself after a capture.
  virtual bool resumes_itself() const = 0;

  /// Whether what it takes is what the tracker found.
  virtual bool is_tracked() const { return false; }

  virtual status prepare(const capture_plan& plan, deadline_point until) = 0;

  /// The pause, as things stand since `prepare` or `refine`.
  virtual capture_forecast forecast() const = 0;

  /// One more pass, where there are any.
  virtual status refine(deadline_point) { return {}; }

  virtual status pause(deadline_point until) = 0;
  virtual status capture(deadline_point until) = 0;

  /// The guest runs: storage may be touched.
  virtual void resumed() = 0;

  /// See vmm::stood; asked after `resumed`.
  virtual std::optional<std::chrono::microseconds> stood() const = 0;

  virtual expected<capture_result> drain(deadline_point until) = 0;

  /// Ends it without harm; the plan's files are not touched afterwards.
  virtual void abandon() noexcept = 0;
};

/// Copies what changes while the guest runs, and the rest while it stands.
/// Needs a tracker.
std::unique_ptr<capture_method> make_tracked_capture(capture_context x);

/// Copies what a child has of its own while it stands. Only for `changed`.
std::unique_ptr<capture_method> make_page_map_capture(capture_context x);

/// Write-protects memory and streams it out while the guest runs.
std::unique_ptr<capture_method> make_background_capture(capture_context x);

/// Copies memory out of QEMU's process while the guest stands.
std::unique_ptr<capture_method> make_copy_capture(capture_context x);

/// Has QEMU send memory while the guest stands, where its process cannot be
/// read.
std::unique_ptr<capture_method> make_send_capture(capture_context x);

/// Puts the guest, and a migration pipe's read end unless that is -1, under
/// the keeper's guard. A guest that cannot be guarded is a warning.
status guard_capture(capture_context& x, int pipe, deadline_point until);

/// The time by the clock of QEMU's stamps.
std::chrono::microseconds stamp_now();

} // namespace forkfleet::qemu
