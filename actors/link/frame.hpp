// SPDX-License-Identifier: Apache-2.0
// One frame of CAF's wire protocol (BASP 3): its header, and what the bits of
// a message's id mean. Pure; knows no CAF.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "actors/link/wire_reader.hpp"

namespace forkfleet {

/// What a frame does.
enum class frame_operation : uint8_t {
  server_handshake,
  client_handshake,
  direct_message,
  routed_message,
  monitor_message,
  down_message,
  heartbeat,
};

/// The bits of a direct message's id.
namespace message_bits {
inline constexpr uint64_t is_answer = 0x8000000000000000;
/// The upper of the two category bits: streams.
inline constexpr uint64_t is_stream = 0x2000000000000000;
/// Not urgent: CAF has it wait behind what is.
inline constexpr uint64_t is_normal = 0x1000000000000000;
/// Says which of its sender's requests it is; 0 for no request.
inline constexpr uint64_t request = 0x0FFFFFFFFFFFFFFF;
} // namespace message_bits

/// The 32 bytes before a frame's payload. The meaning of `data`, `source` and
/// `target` depends on the operation: of a direct message they are the
/// message's id, and the numbers of the actors that send and receive it.
struct frame_header {
  static constexpr std::size_t size = 32;
  static constexpr uint8_t named_receiver = 0x01;
  static constexpr uint8_t select_connection = 0x02;

  frame_operation what = frame_operation::heartbeat;
  uint16_t padding = 0;
  uint8_t flags = 0;
  uint32_t payload_size = 0;
  uint64_t data = 0;
  uint64_t source = 0;
  uint64_t target = 0;

  /// For one of CAF's own services rather than for an actor by its number.
  bool is_for_service() const {
    return what == frame_operation::direct_message && flags == named_receiver;
  }
  bool is_answer() const { return (data & message_bits::is_answer) != 0; }
  /// Which request; 0 for none.
  uint64_t request() const { return data & message_bits::request; }

  /// Reads the first `size` bytes; there must be as many.
  static frame_header read(std::string_view bytes) {
    auto in = wire_reader{bytes};
    auto x = frame_header{};
    auto number = uint8_t{0};
    in.number(number);
    x.what = static_cast<frame_operation>(number);
    in.number(x.padding);
    in.number(x.flags);
    in.number(x.payload_size);
    in.number(x.data);
    in.number(x.source);
    in.number(x.target);
    return x;
  }

  /// The `size` bytes.
  std::string bytes() const;
};

/// The answer to a request: an error of this program's, as an actor here
/// would have given it. `asked` is the request's header.
std::string make_error_frame(const frame_header& asked, uint8_t code,
                             std::string_view text);

} // namespace forkfleet
