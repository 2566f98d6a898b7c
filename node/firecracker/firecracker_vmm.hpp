// SPDX-License-Identifier: Apache-2.0
// One running VM of Firecracker as a vmm. Firecracker writes its snapshots
// itself, while the guest stands; what is ours is where to, and what of it is
// new. Not yet run on a host with KVM: tested against a strict fake.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "node/firecracker/api.hpp"
#include "node/firecracker/capture_space.hpp"
#include "node/firecracker/microvm.hpp"
#include "node/qemu/keeper_link.hpp"
#include "node/qemu/pause_lease.hpp"
#include "node/vm_pauses.hpp"
#include "node/vmm.hpp"

namespace forkfleet::firecracker {

/// What a firecracker_vmm is made of. The VM answers on `line`.
struct firecracker_vmm_parts {
  std::unique_ptr<api> line = {};
  vmm_version version = {};
  std::optional<qemu::keeper_link> keeper = {};
  qemu::keeper_command replacement = {}; // when that one is gone
  qemu::process_id process = {};
  microvm vm = {};
  run_contract contract = {};
  std::string directory = {};
  capture_space space;
  /// The snapshot that changes are known against; empty: not known.
  std::string tracked_since = {};
  bool attached = false; // somebody else started it
  /// Whether its memory is the host's already; that of a child is read in
  /// from its snapshot's file as it is used.
  bool is_resident = true;
  host_pauses_ptr pauses = {}; // may be null
  vmm_description description = {};
};

/// See vmm.hpp. Lets the VM run on when it is destroyed.
class firecracker_vmm : public vmm {
public:
  explicit firecracker_vmm(firecracker_vmm_parts parts);
  ~firecracker_vmm() override;

  expected<vmm_capabilities> capabilities(deadline_point until) override;
  vmm_health health(deadline_point until) override;
  std::string trouble() const override { return trouble_; }
  vmm_description describe() const override { return parts_.description; }
  run_contract contract() const override { return parts_.contract; }
  std::string tracked_since() const override { return parts_.tracked_since; }
  expected<capture_estimate> estimate(const capture_plan& plan,
                                      deadline_point until) override;
  expected<capture_forecast> prepare(const capture_plan& plan,
                                     deadline_point until) override;
  expected<capture_forecast> refine(deadline_point until) override;
  status pause(deadline_point until) override;
  status capture(deadline_point until) override;
  status resume(deadline_point until) override;
  std::optional<std::chrono::microseconds> stood() const override;
  void refused() noexcept override { pauses_.refused(); }
  expected<capture_result> drain(deadline_point until) override;
  void commit(const std::string& root_hash) noexcept override;
  void abandon() noexcept override;
  status stop(deadline_point until) override;

private:
  /// How far the capture in hand has come.
  enum class progress : uint8_t { none, prepared, captured, drained };

  status check_plan(const capture_plan& plan) const;
  status check_guest(deadline_point until);
  status settle_drives() const;
  status ensure_keeper(deadline_point until);
  capture_forecast forecast();
  pause_kind pause_kind_of(snapshot_kind kind) const;
  uint64_t expected_bytes(snapshot_kind kind) const;
  status run_guest(deadline_point until);
  expected<uint64_t> drain_vmstate(deadline_point until) const;
  status end_vm(deadline_point until);
  bool has_ended() const;
  failure told(const failure& error) const;

  firecracker_vmm_parts parts_;
  const version_rules rules_;
  progress progress_ = progress::none;
  capture_plan plan_ = {};
  snapshot_kind kind_ = snapshot_kind::full;
  snapshot_paths paths_ = {};
  qemu::pause_lease lease_ = {};
  bool was_created_ = false;       // in this pause, or tried
  bool has_loose_changes_ = false; // captured, but not in a sealed snapshot
  vm_pauses pauses_;
  bool was_asked_to_stop_ = false; // in this pause
  std::chrono::steady_clock::time_point stopped_at_ = {};
  std::chrono::microseconds stood_{0}; // from there to it seen running
  std::vector<std::string> warnings_ = {};
  std::string trouble_ = {}; // how the VM ended
};

} // namespace forkfleet::firecracker
