// SPDX-License-Identifier: Apache-2.0
// The keeper's lease for one pause after another: as long as it runs the guest
// may stand, and when it is over the keeper resumes the guest.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "node/qemu/keeper_link.hpp"

namespace forkfleet::qemu {

/// Used by one thread at a time.
class pause_lease {
public:
  /// The guest is about to be stopped, and may stand for `pause` and a little
  /// more. Does not wait.
  status begin(keeper_link& keeper, std::chrono::milliseconds pause);

  /// `resumed` is whether the guest was seen to run again. Only then is the
  /// lease given back: of a guest that may still stand the keeper must not
  /// rest. Says so in `warnings` when the keeper had to resume it.
  void end(keeper_link* keeper, const status& resumed,
           std::vector<std::string>& warnings);

private:
  bool is_held_ = false;
};

} // namespace forkfleet::qemu
