// SPDX-License-Identifier: Apache-2.0
// The guest inside a simulated VM: a counter, and pages that change as it
// counts, in a way that shows whether an image of them is of one instant.
// Knows no CAF and no clock.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "actors/error.hpp"
#include "node/memory_image.hpp"

namespace forkfleet {

/// The memory of a guest at one instant. `ticks[p]` is the tick that last
/// wrote working page p; tick t writes page (t - 1) modulo their number, so
/// `tick` alone says what all pages must hold.
struct guest_image {
  uint64_t memory_bytes = 0;
  uint64_t tick = 0;
  std::vector<uint64_t> ticks = {};

  friend bool operator==(const guest_image&, const guest_image&) = default;
};

/// A guest that has just booted. The working set is a quarter of the memory,
/// at most 1 MiB.
guest_image boot_guest(uint64_t memory_bytes);

/// Lets the guest count on to `tick`, which is not before its own.
void run_guest(guest_image& guest, uint64_t tick);

/// snapshot_corrupt unless all pages are of the instant of `tick`; names the
/// first page that is not.
status check_instant(const guest_image& image);

/// Writes the pages that are not all zeros at their place. Returns the bytes
/// written.
expected<uint64_t> write_memory(const guest_image& image, memory_sink& memory);

/// Writes the device state: what a restore must know beside the memory.
/// Returns its size.
expected<uint64_t> write_vmstate(const guest_image& image, int fd);

/// Reads both files back. snapshot_corrupt when they are none of ours or not
/// of one instant, io_failed; names the path.
expected<guest_image> read_guest(const std::string& memory_path,
                                 const std::string& vmstate_path);

} // namespace forkfleet
