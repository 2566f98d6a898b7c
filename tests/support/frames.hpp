// SPDX-License-Identifier: Apache-2.0
// Frames of CAF's wire protocol, sound and broken, made by hand.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace forkfleet::test {

/// A number in network byte order, of any width.
std::string number(uint64_t x, int bytes);
/// A length as CAF packs it, seven bits a byte.
std::string packed_length(uint64_t x);
/// A text: its length and its bytes.
std::string packed_text(std::string_view x);
/// CAF's packed name, ten characters at most.
uint64_t packed_name(std::string_view x);

/// The node identity of a program; different for each `seed`.
std::string node_bytes(unsigned seed);

enum class basp : uint8_t {
  server_handshake,
  client_handshake,
  direct,
  routed,
  monitor,
  down,
  heartbeat,
};

/// One frame. A header may claim another size than the payload has.
struct frame {
  basp what = basp::heartbeat;
  uint8_t flags = 0;
  uint64_t data = 0;
  uint64_t source = 0;
  uint64_t target = 0;
  std::string payload = {};
  std::optional<uint32_t> claimed_size = {};
  uint16_t padding = 0;

  std::string bytes() const;
};

frame client_handshake(const std::string& node);
frame server_handshake(const std::string& node,
                       const std::vector<std::string>& messages = {});
frame monitor(const std::string& peer, const std::string& own);
frame down(const std::string& peer, const std::string& own);

/// The actor that such frames are for and from.
inline constexpr uint64_t some_actor = 12;

/// A request of `types` ("+forkfleet::done"), whose values are `values`.
frame direct(std::string_view types, std::string_view values);

/// An error without context.
std::string packed_error(uint8_t code);

/// A `nodes_request` with its defaults.
frame sound_request();

} // namespace forkfleet::test
