// SPDX-License-Identifier: Apache-2.0
// One place of a simulated disk's code, at which things go wrong.
#pragma once

#include <string_view>

#include "node/simulated/faults.hpp"
#include "tests/support/simulated_disk.hpp"

namespace forkfleet::test {

/// One place of the disk's code, with what goes wrong there.
class disk_place {
public:
  disk_place(const disk_access& access, std::string_view name)
    : access_{access} {
    if (access_.is_over())
      throw simulated_crash{};
    trouble_ = access_.trouble(name);
    if (trouble_ == disk_trouble::crash_before)
      end_node();
  }
  bool fails() const {
    return trouble_ == disk_trouble::fail || trouble_ == disk_trouble::fill;
  }
  failure why() const {
    if (trouble_ == disk_trouble::fill)
      return {ec::disk_full, "the disk is full"};
    return {ec::io_failed, "the disk failed"};
  }
  void leave() const {
    if (trouble_ == disk_trouble::crash_after)
      end_node();
  }

private:
  [[noreturn]] void end_node() const {
    access_.crash();
    throw simulated_crash{};
  }

  const disk_access& access_;
  disk_trouble trouble_ = disk_trouble::none;
};

} // namespace forkfleet::test
