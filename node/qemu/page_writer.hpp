// SPDX-License-Identifier: Apache-2.0
// Writes a capture's results: pages of memory to a sink, neighbours in one
// write, and the device state to its file. Storage is not touched before the
// gate opens, and never after the capture was abandoned.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <vector>

#include "node/memory_image.hpp"
#include "node/qemu/stream_splitter.hpp"

namespace forkfleet::qemu {

/// Whether a page holds only zeros.
bool is_zero_page(byte_view page);

/// Pages into a sink, neighbours together; the first error is returned and
/// ends the use.
class page_writer {
public:
  explicit page_writer(memory_sink& sink) : sink_{&sink} {}

  /// The bytes are copied; they are in the sink after `flush`.
  status page(uint64_t address, byte_view bytes);

  /// The same for a page of zeros.
  status zero(uint64_t address);

  /// Writes what was not yet written.
  status flush();

private:
  static constexpr std::size_t run_bytes_max = 1 << 20;
  memory_sink* sink_;
  uint64_t begin_ = 0;
  std::vector<uint8_t> run_ = {}; // neighbours from `begin_` on
  memory_range zeros_ = {};       // neighbours; empty when `run_` is not
};

/// Writes bytes one after the other; the same rules.
class tail_writer {
public:
  explicit tail_writer(int fd) : fd_{fd} {}
  status append(byte_view bytes);
  uint64_t written_bytes() const { return written_; }

private:
  int fd_;
  uint64_t written_ = 0;
};

/// Both, as a splitter's sink for another thread than the capture's.
class gated_sink : public split_sink {
public:
  gated_sink(memory_sink& memory, int vmstate_fd)
    : memory_{memory}, vmstate_{vmstate_fd} {}

  status data_page(uint64_t address, byte_view page) override;
  status zero_page(uint64_t address) override;
  status device_state(byte_view bytes) override;
  status flush();

  /// The guest runs: storage may be touched. Until then every write waits.
  void open_gate();

  /// When it returns no write is under way, and none comes any more.
  void abandon();

  uint64_t vmstate_bytes_written() const;

  /// How much of the memory has come so far.
  uint64_t memory_bytes() const;

private:
  template <class Action>
  status when_open(Action action);

  enum class gate : uint8_t { closed, open, abandoned };
  mutable std::mutex mutex_ = {};
  std::condition_variable changed_ = {};
  gate gate_ = gate::closed;
  page_writer memory_;
  tail_writer vmstate_;
  uint64_t memory_bytes_ = 0;
};

} // namespace forkfleet::qemu
