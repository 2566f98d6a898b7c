// SPDX-License-Identifier: Apache-2.0
// The guest inside a simulated VM: a counter, and pages that change as it
// counts, in a way that shows whether an image of them is of one instant.
// Knows no CAF and no clock.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "actors/error.hpp"
#include "node/memory_image.hpp"

namespace forkfleet {

/// What the pages of a guest say at one instant. `ticks[p]` is the tick that
/// last wrote working page p; tick t writes page (t - 1) modulo their number,
/// so `tick` alone says what all pages must hold.
struct guest_image {
  uint64_t memory_bytes = 0;
  uint64_t tick = 0;
  std::vector<uint64_t> ticks = {};

  friend bool operator==(const guest_image&, const guest_image&) = default;
};

/// How many pages a guest of that much memory writes unless told otherwise:
/// a quarter of them, at most 256.
uint64_t usual_working_pages(uint64_t memory_bytes);

/// The last tick up to `tick` that wrote working page `page` of `count`; 0
/// when none has.
uint64_t last_write(uint64_t tick, uint64_t page, uint64_t count);

/// Fills a page as the guest does at `tick`. Page 0 is the counter's, working
/// page p is page p + 1.
void stamp_page(std::span<uint8_t> page, uint64_t number, uint64_t tick);

/// The tick that a page was filled at; 0 for one that was never written.
/// snapshot_corrupt when its bytes are of no tick, or of several.
expected<uint64_t> read_stamp(std::span<const uint8_t> page, uint64_t number);

/// snapshot_corrupt unless all pages are of the instant of `tick`; names the
/// first page that is not.
status check_instant(const guest_image& image);

/// The device state: what a restore must know beside the memory.
struct guest_state {
  uint64_t memory_bytes = 0;
  uint64_t working_pages = 0;
  uint64_t tick = 0;

  friend bool operator==(const guest_state&, const guest_state&) = default;
};

/// Writes it to the start of a file and returns its size.
expected<uint64_t> write_state(const guest_state& state, int fd);

/// Reads it back. snapshot_corrupt when it is none of ours, io_failed; names
/// the path.
expected<guest_state> read_state(const std::string& path);

/// Reads a guest back from its memory, where that state belongs to it.
/// snapshot_corrupt when they are not of one instant.
expected<guest_image> read_guest(const memory_image& memory,
                                 const guest_state& state);

/// Same, from a flat file and the file of its device state; names the path.
expected<guest_image> read_guest(const std::string& memory_path,
                                 const std::string& vmstate_path);

} // namespace forkfleet
