// SPDX-License-Identifier: Apache-2.0
// A QEMU that is not ours: started by hand in a directory of its own, for the
// driver to attach to.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "tests/support/vm_fixture.hpp"

namespace forkfleet::test {

/// The example guest under a QEMU of somebody else. Ends with the test.
struct foreign_vm {
  std::string directory;
  child_process process;

  /// `change` is given the arguments that a VM of ours would have, without the
  /// program.
  explicit foreign_vm(
    const vm_fixture& world,
    const std::function<void(std::vector<std::string>&)>& change = {});

  /// What attaches to it.
  start_plan plan(const vm_fixture& world, bool has_watchdog) const;

  /// Until its guest counts.
  void wait_until_up() const;
};

} // namespace forkfleet::test
