// SPDX-License-Identifier: Apache-2.0
// Reads CAF 0.17's binary form without trusting it and without storing
// anything: the guard walks a frame before CAF decodes it. Knows no CAF.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace forkfleet {

/// A cursor over bytes that somebody else wrote. Each function returns false,
/// and nothing else is to be done, when the bytes do not hold what it reads.
class wire_reader {
public:
  explicit wire_reader(std::string_view bytes) : rest_(bytes) {}

  std::size_t left() const { return rest_.size(); }
  bool at_end() const { return rest_.empty(); }

  bool skip(std::size_t bytes) {
    if (bytes > rest_.size())
      return false;
    rest_.remove_prefix(bytes);
    return true;
  }

  /// Some bytes as they are.
  bool raw(std::size_t bytes, std::string_view& x) {
    if (bytes > rest_.size())
      return false;
    x = rest_.substr(0, bytes);
    return skip(bytes);
  }

  /// A number in network byte order.
  template <std::unsigned_integral T>
  bool number(T& x) {
    auto bytes = std::string_view{};
    if (!raw(sizeof(T), bytes))
      return false;
    auto sum = uint64_t{0};
    for (const auto c : bytes)
      sum = (sum << 8) | static_cast<unsigned char>(c);
    x = static_cast<T>(sum);
    return true;
  }

  /// The length of a text or a list, seven bits a byte, at most 32 bits. A
  /// length of more than what is left is refused: each element takes at
  /// least one byte.
  bool length(std::size_t& x) {
    auto sum = uint64_t{0};
    for (auto shift = 0U; shift < 35; shift += 7) {
      auto byte = uint8_t{0};
      if (!number(byte))
        return false;
      sum |= uint64_t{byte & 0x7FU} << shift;
      if ((byte & 0x80) == 0) {
        x = static_cast<std::size_t>(sum);
        return sum <= rest_.size();
      }
    }
    return false;
  }

  bool text(std::string_view& x) {
    auto bytes = std::size_t{0};
    return length(bytes) && raw(bytes, x);
  }

private:
  std::string_view rest_;
};

} // namespace forkfleet
