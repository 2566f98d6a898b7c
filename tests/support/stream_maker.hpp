// SPDX-License-Identifier: Apache-2.0
// Makes migration streams byte by byte, as QEMU would send them, for tests of
// the splitter. Takes them apart again into memory and state.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "node/qemu/stream_splitter.hpp"

namespace forkfleet::test {

/// A stream under construction; each call appends.
class stream_maker {
public:
  stream_maker& header();
  stream_maker& configuration(std::string_view machine);
  stream_maker&
  start(const std::vector<std::pair<std::string, uint64_t>>& blocks);
  stream_maker& begin_part();
  stream_maker& page(std::string_view block, uint64_t address, uint8_t fill);
  stream_maker& next_page(uint64_t address, uint8_t fill);
  stream_maker& zero(std::string_view block, uint64_t address);
  stream_maker& end_part();
  stream_maker& command();
  stream_maker& state(std::string_view text);
  stream_maker& byte(uint8_t x);
  stream_maker& number(uint64_t x, int bytes);
  stream_maker& text(std::string_view x);

  std::vector<uint8_t> bytes = {};
};

/// A short whole stream: four pages of memory, one of another block.
std::vector<uint8_t> small_stream();

/// Bytes in memory as a source that gives at most `step` of them at a time.
class memory_source : public qemu::byte_source {
public:
  explicit memory_source(const std::vector<uint8_t>& bytes,
                         std::size_t step = 1 << 20)
    : bytes_{bytes}, step_{step} {}
  expected<std::size_t> read(std::span<uint8_t> room) override;

private:
  const std::vector<uint8_t>& bytes_;
  std::size_t step_;
  std::size_t next_ = 0;
};

/// Memory and state in memory. Fails with disk_full from the write on that
/// `writes_left` says.
struct memory_sink : qemu::split_sink {
  explicit memory_sink(std::size_t memory_bytes) : memory(memory_bytes) {}
  status data_page(uint64_t address, qemu::byte_view page) override;
  status zero_page(uint64_t address) override;
  status device_state(qemu::byte_view bytes) override;
  status count();

  std::vector<uint8_t> memory;
  std::string state = {};
  std::size_t writes = 0;
  std::size_t writes_left = SIZE_MAX;
};

} // namespace forkfleet::test
