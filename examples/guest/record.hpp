// SPDX-License-Identifier: Apache-2.0
// What the example guest says on port 0xe9: records of 16 bytes, one for
// each tick and some more once a second. The guest writes them and the
// watcher on the host reads them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace forkfleet::guest {

/// What a record tells. The numbers are on the wire: add, never change.
enum class record_kind : uint8_t {
  tick = 1,       // value: the counter; detail: guest time in microseconds
  gap = 2,        // value: gaps seen; detail: the largest, in microseconds
  lost = 3,       // value: seconds watched; detail: all gaps, in microseconds
  sweep = 4,      // value: sweeps of the ring; detail: pages checked
  text_begin = 5, // 11 characters of the first error, zero at its end
  text_more = 6,  // the next 11
};

/// One record. `value` has 40 bits and `detail` 48; what does not fit is cut.
struct record {
  record_kind kind = record_kind::tick;
  /// Errors that the guest found in its own memory; 255 and more are 255.
  uint8_t errors = 0;
  uint64_t value = 0;
  uint64_t detail = 0;

  friend bool operator==(const record&, const record&) = default;
};

constexpr size_t record_size = 16;
constexpr uint8_t record_sync = 0xf7;
constexpr size_t record_text_size = 11;
using record_bytes = std::array<uint8_t, record_size>;

/// CRC-16 (CCITT) of `bytes`.
constexpr uint16_t checksum(std::span<const uint8_t> bytes) {
  uint16_t crc = 0xffff;
  for (auto byte : bytes) {
    crc = static_cast<uint16_t>(crc ^ (byte << 8));
    for (int bit = 0; bit < 8; ++bit) {
      const auto carry = (crc & 0x8000) != 0;
      crc = static_cast<uint16_t>((crc << 1) ^ (carry ? 0x1021 : 0));
    }
  }
  return crc;
}

/// The record as it goes over the port: sync, kind, errors, value, detail,
/// checksum; numbers have their lowest byte first.
constexpr record_bytes encode(const record& x) {
  record_bytes out{record_sync, static_cast<uint8_t>(x.kind), x.errors};
  for (size_t i = 0; i < 5; ++i)
    out[3 + i] = static_cast<uint8_t>(x.value >> (8 * i));
  for (size_t i = 0; i < 6; ++i)
    out[8 + i] = static_cast<uint8_t>(x.detail >> (8 * i));
  const auto crc = checksum(std::span(out).first(record_size - 2));
  out[14] = static_cast<uint8_t>(crc);
  out[15] = static_cast<uint8_t>(crc >> 8);
  return out;
}

/// The record in `bytes`; nothing when sync, checksum or kind are wrong, as
/// they are when the reader came in the middle of a record.
constexpr std::optional<record>
decode(std::span<const uint8_t, record_size> bytes) {
  const auto crc = checksum(bytes.first(record_size - 2));
  if (bytes[0] != record_sync || bytes[14] != (crc & 0xff)
      || bytes[15] != crc >> 8 || bytes[1] < 1 || bytes[1] > 6)
    return std::nullopt;
  record x{static_cast<record_kind>(bytes[1]), bytes[2], 0, 0};
  for (size_t i = 0; i < 5; ++i)
    x.value |= uint64_t{bytes[3 + i]} << (8 * i);
  for (size_t i = 0; i < 6; ++i)
    x.detail |= uint64_t{bytes[8 + i]} << (8 * i);
  return x;
}

} // namespace forkfleet::guest
