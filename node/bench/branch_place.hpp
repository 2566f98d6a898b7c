// SPDX-License-Identifier: Apache-2.0
// The parts of a node that take a branch, without its actors: disk store,
// journal, pause gate. For the benchmarks. Knows no CAF.
#pragma once

#include <memory>
#include <string>

#include "node/branch_run.hpp"
#include "node/storage/disk_snapshot_store.hpp"

namespace forkfleet::bench {

/// A data directory in which branches are taken, one at a time.
class branch_place {
public:
  static expected<std::unique_ptr<branch_place>> open(const std::string& path);

  /// Takes one, as a node would.
  branch_result branch(const vmm_ptr& vmm, const snapshot_tag& tag,
                       branch_mode mode);

  /// Whom to tell what the branches do.
  void listen(std::function<void(const fleet_event&)> to) {
    context_.tell = std::move(to);
  }

  disk_snapshot_store& store() { return *store_; }
  const snapshot_store_ptr& shared_store() { return context_.store; }
  const config::branch_section& policy() const { return context_.policy; }

private:
  branch_place() = default;

  std::shared_ptr<disk_snapshot_store> store_ = {};
  branch_context context_ = {};
};

} // namespace forkfleet::bench
