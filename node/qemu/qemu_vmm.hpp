// SPDX-License-Identifier: Apache-2.0
// One running QEMU as a vmm. Picks a capture method per branch and makes sure
// of the one thing that all share: the guest runs when it is over.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "node/qemu/arena.hpp"
#include "node/qemu/capture_method.hpp"
#include "node/qemu/disk_layers.hpp"
#include "node/qemu/keeper_link.hpp"
#include "node/qemu/pause_lease.hpp"
#include "node/qemu/pause_model.hpp"
#include "node/qemu/qmp_client.hpp"
#include "node/qemu/vm_tracking.hpp"
#include "node/vm_pauses.hpp"
#include "node/vmm.hpp"

namespace forkfleet::qemu {

/// What a qemu_vmm is made of. The VM answers on `qmp`.
struct qemu_vmm_parts {
  std::unique_ptr<qmp_client> qmp = {};
  std::optional<keeper_link> keeper = {};
  keeper_command replacement = {}; // starts another when that one is gone
  std::shared_ptr<arena_pool> arenas = {};
  host_pauses_ptr pauses = {}; // may be null
  std::string directory = {};
  run_contract contract = {};
  std::string memory_block = {}; // empty: the one block of the memory's size
  std::string memory_path = {};  // the base image that a child maps
  uint64_t memory_begin = 0;     // its address in QEMU; 0: not known
  std::string origin = {};       // root hash of a child's snapshot
  bool attached = false;         // somebody else started it
  std::vector<std::string> child_arguments = {}; // a child's command line
  bool has_layers = false; // the guest writes disks, in layers of ours
  vmm_description description = {};
};

/// See vmm.hpp. Lets the VM run on when it is destroyed.
class qemu_vmm : public vmm {
public:
  explicit qemu_vmm(qemu_vmm_parts parts);
  ~qemu_vmm() override;

  expected<vmm_capabilities> capabilities(deadline_point until) override;
  vmm_health health(deadline_point until) override;
  std::string trouble() const override { return trouble_; }
  vmm_description describe() const override { return parts_.description; }
  run_contract contract() const override { return parts_.contract; }
  std::string tracked_since() const override { return tracking_.since(); }
  expected<capture_estimate> estimate(const capture_plan& plan,
                                      deadline_point until) override;
  expected<capture_forecast> prepare(const capture_plan& plan,
                                     deadline_point until) override;
  expected<capture_forecast> refine(deadline_point until) override;
  status pause(deadline_point until) override;
  status capture(deadline_point until) override;
  status resume(deadline_point until) override;
  std::optional<std::chrono::microseconds> stood() const override {
    return stood_;
  }
  void refused() noexcept override { pauses_.refused(); }
  expected<capture_result> drain(deadline_point until) override;
  void commit(const std::string& root_hash) noexcept override;
  void abandon() noexcept override;
  status stop(deadline_point until) override;

  /// Finds out what the VM allows, as far as that is not known.
  status look(deadline_point until);

private:
  status check_guest(deadline_point until);
  failure want_of_space(const std::string& state, deadline_point until);
  vmm_health see_to_space(deadline_point until);
  method_facts facts() const;
  std::unique_ptr<capture_method> make_method(method_kind kind);
  capture_context context();
  status run_guest(deadline_point until);
  status end_vm(deadline_point until);

  qemu_vmm_parts parts_;
  vm_tracking tracking_;
  disk_layers layers_;
  pause_model model_ = {};
  vm_pauses pauses_;
  std::optional<std::chrono::microseconds> stood_ = {};
  std::unique_ptr<capture_method> method_ = {};
  method_kind used_ = method_kind::stopped_send; // what `method_` is
  std::chrono::milliseconds pause_max_{0};
  pause_lease lease_ = {};
  std::chrono::steady_clock::time_point looked_ = {};
  int slow_branches_ = 0; // until a background snapshot is tried again
  bool drained_by_tracker_ = false;
  std::string reason_ = {}; // why not a better method
  std::vector<std::string> warnings_ = {};
  std::string trouble_ = {}; // what the last look at its health found
};

} // namespace forkfleet::qemu
