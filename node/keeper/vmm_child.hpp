// SPDX-License-Identifier: Apache-2.0
// The VM's process as the keeper's child: started in the VM's directory,
// reaped, and its end written down.
#pragma once

#include <string>
#include <vector>

#include "node/keeper/options.hpp"
#include "node/qemu/process.hpp"

namespace forkfleet::keeper {

/// Where a VM's end is written down.
inline constexpr const char* exit_file = "exit.json";

/// The child; at most one per keeper.
class vmm_child {
public:
  /// Starts the VM of `settings` with the working directory of the keeper.
  /// With a leash it is killed by the kernel when the keeper ends. io_failed
  /// when it cannot be executed.
  status start(const options& settings);

  /// Whether a child was started and has not been reaped.
  bool is_there() const { return id_.pid > 0; }

  const qemu::process_id& id() const { return id_; }

  /// Readable when it has ended; -1 without a child.
  int pidfd() const { return pidfd_.get(); }

  /// The userfaultfd with which its memory can be tracked, kept until it
  /// has ended; waits for it, as the VM offers it when it begins. unsupported
  /// says why there is none.
  expected<int> tracker(deadline_point until);

  /// Kills it with SIGKILL.
  void kill() const;

  /// Reaps it and writes exit.json, with the VMM's own word for why it ended
  /// if there is one. Blocks until it has ended.
  void reap(const std::string& told);

private:
  qemu::process_id id_ = {};
  unique_fd pidfd_ = {};
  unique_fd offer_ = {}; // the socket on which the VM offers its tracker
  unique_fd tracker_ = {};
  std::string no_tracker_ = "the VM was started without the preload library";
};

} // namespace forkfleet::keeper
