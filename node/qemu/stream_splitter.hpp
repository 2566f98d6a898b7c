// SPDX-License-Identifier: Apache-2.0
// Splits QEMU's migration stream in two: pages of the guest's memory, each at
// its address, and all the rest, which is the device state that a child loads
// over that memory. Pure: bytes come from a source and go to a sink.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "actors/error.hpp"

namespace forkfleet::qemu {

/// The page size of the stream and of the guests that we run.
inline constexpr std::size_t page_bytes = 4096;

using byte_view = std::span<const uint8_t>;

/// Where the stream comes from.
class byte_source {
public:
  virtual ~byte_source() = default;

  /// Fills a part of `room`, at least one byte; 0 at the stream's end.
  virtual expected<std::size_t> read(std::span<uint8_t> room) = 0;
};

/// Where its two parts go. An error ends the splitting with that error.
class split_sink {
public:
  virtual ~split_sink() = default;

  /// A page of guest memory. The same address may come again; the last wins.
  virtual status data_page(uint64_t address, byte_view page) = 0;

  /// A page that became zero after data_page was called for it; with
  /// `tells_zeros` also one that was zero from the start.
  virtual status zero_page(uint64_t address) = 0;

  /// The next bytes of the device state.
  virtual status device_state(byte_view bytes) = 0;
};

/// Which of the stream's blocks is the guest's memory.
struct split_plan {
  uint64_t memory_bytes = 0;
  std::string memory_block = {}; // empty: the one block of that size
  bool tells_zeros = false;      // every page of zeros is told
};

/// What a stream came to.
struct split_result {
  std::string memory_block = {};
  uint64_t data_pages = 0;
  uint64_t zero_pages = 0;
  uint64_t state_bytes = 0;
};

/// Splits one whole stream. Fails closed with vmm_refused on anything that
/// it does not know, on a stream that ends early, and on one that lacks a
/// page; the message names the byte. Errors of source and sink pass through.
expected<split_result> split_stream(byte_source& source, split_sink& sink,
                                    const split_plan& plan);

} // namespace forkfleet::qemu
