// SPDX-License-Identifier: Apache-2.0
// The part of the guard that decides: which frames of CAF's wire protocol
// (BASP 3) may reach CAF, whose own parser can be crashed and made to hand
// messages to anyone. Pure; knows neither CAF nor sockets.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "actors/link/content_check.hpp"

namespace forkfleet {

/// Why a connection must be closed.
enum class frame_fault : uint8_t {
  none,
  bad_header,
  unexpected_operation,
  too_long,
  bad_length,
  bad_handshake,
  other_version,
  foreign_node,
  stream_message,
  named_receiver,
  forbidden_content,
  malformed_content,
};

constexpr auto enum_table(frame_fault) {
  using enum frame_fault;
  return std::to_array<schema::enum_entry<frame_fault>>({
    {none, "none"},
    {bad_header, "bad_header", "bits that must be zero are not"},
    {unexpected_operation, "unexpected_operation",
     "not in this direction, or not at this time"},
    {too_long, "too_long", "more than this kind of frame may have"},
    {bad_length, "bad_length", "not the length that this frame must have"},
    {bad_handshake, "bad_handshake"},
    {other_version, "other_version", "the peer speaks another BASP"},
    {foreign_node, "foreign_node", "speaks for another program"},
    {stream_message, "stream_message"},
    {named_receiver, "named_receiver", "one of CAF's own services"},
    {forbidden_content, "forbidden_content",
     "not a message that this peer may send"},
    {malformed_content, "malformed_content",
     "not the bytes of what it says it is"},
  });
}

/// Checks one direction of one connection: what the peer sends to us.
class frame_check {
public:
  /// Which of the two hellos comes first.
  enum class side : uint8_t {
    /// We accepted: the peer begins with a client's handshake.
    accepted,
    /// We dialled: the peer begins with a server's handshake.
    dialled,
  };

  /// `own_node` is this program's node identity (`node_bytes_size`).
  frame_check(side which, peer_role peer, std::string_view own_node);

  /// Takes what has arrived, in pieces of any size. Whole frames that may
  /// pass are appended to `out`. After a fault nothing more is taken, and
  /// nothing of the frame at fault is in `out`.
  frame_fault feed(std::string_view bytes, std::vector<char>& out);

  /// The peer's node identity; empty before its handshake.
  const std::string& peer_node() const { return peer_node_; }
  /// Whether part of a frame waits for its rest.
  bool is_mid_frame() const { return !pending_.empty(); }
  /// Frames that passed.
  uint64_t frames() const { return frames_; }

private:
  struct header;

  frame_fault check_header(const header& x) const;
  frame_fault check_frame(const header& x, std::string_view payload);
  frame_fault check_client_handshake(std::string_view payload);
  frame_fault check_server_handshake(const header& x, std::string_view payload);
  frame_fault check_direct(std::string_view payload) const;
  frame_fault check_nodes(std::string_view payload, bool with_error) const;

  side side_;
  peer_role peer_;
  std::string own_node_;
  std::string peer_node_;
  std::string pending_;
  uint64_t frames_ = 0;
  frame_fault fault_ = frame_fault::none;
};

} // namespace forkfleet
