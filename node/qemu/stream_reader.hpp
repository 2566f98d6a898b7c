// SPDX-License-Identifier: Apache-2.0
// Reads big-endian numbers and short texts from a byte source through one
// buffer. After the first error every read gives zeros and `ok` is false, so
// that a parser checks once per record.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "node/qemu/stream_splitter.hpp"

namespace forkfleet::qemu {

/// A buffered reader with a sticky error.
class stream_reader {
public:
  explicit stream_reader(byte_source& source) : source_{source} {}

  bool ok() const { return error_.code == ec::none; }
  const failure& error() const { return error_; }

  /// Bytes consumed so far.
  uint64_t offset() const { return offset_; }

  /// Fails with vmm_refused, `what` and the offset; the first error stays.
  void refuse(std::string_view what);

  /// Keeps an error that came from elsewhere; the first error stays.
  void stop(const failure& error);

  /// The next `count` bytes, at most `take_max`; valid until the next call.
  byte_view take(std::size_t count);

  /// What lies in the buffer, or the next read of it; empty at the end.
  byte_view take_some();

  uint8_t u8();
  uint16_t be16();
  uint32_t be32();
  uint64_t be64();

  /// A text with its length in one byte before it.
  std::string text8();

  /// From here on the bytes that are consumed are also appended to
  /// `copy`, until it is set to null.
  void copy_to(std::vector<uint8_t>* copy) { copy_ = copy; }

  static constexpr std::size_t take_max = 64 << 10;

private:
  bool fill(std::size_t count);
  uint64_t number(std::size_t bytes);

  static constexpr std::size_t buffer_bytes = 1 << 20;
  byte_source& source_;
  std::vector<uint8_t> buffer_ = std::vector<uint8_t>(buffer_bytes);
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  uint64_t offset_ = 0;
  failure error_ = {};
  std::vector<uint8_t>* copy_ = nullptr;
};

} // namespace forkfleet::qemu
