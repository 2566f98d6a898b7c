// SPDX-License-Identifier: Apache-2.0
// What a peer can cost us, and what has happened. Plain numbers; knows no CAF.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace forkfleet {

/// Limits of one program's link.
struct link_limits {
  /// Connections of tools at a time that we accepted.
  std::size_t connections_max = 256;
  /// Connections of nodes at a time; tools cannot take these places.
  std::size_t nodes_max = 1024;
  /// Connections of this machine, beyond those of tools, that must say a
  /// node's hello before all else.
  std::size_t nodes_reserved = 64;
  /// Connections of one tool's certificate, of one node's, and of one
  /// identity of this machine without TLS.
  std::size_t tool_connections_max = 64;
  std::size_t node_connections_max = 8;
  std::size_t local_connections_max = 192;
  /// Connections that have not shown who they are: all, and of one address.
  std::size_t waiting_max = 128;
  std::size_t waiting_of_address_max = 64;
  /// Requests of one connection that are not answered, or whose answers have
  /// not been read; further ones are refused. Those that wait for events.
  std::size_t questions_max = 64;
  std::size_t waits_max = 8;
  /// The same of all connections of one identity together.
  std::size_t tool_questions_max = 256;
  std::size_t node_questions_max = 1024;
  std::size_t tool_waits_max = 16;
  std::size_t local_waits_max = 48;
  /// Nothing is read from a peer that has left so many bytes unread.
  std::size_t unread_max = 256 * 1024;
  /// From accepting to the first sound frame.
  std::chrono::milliseconds handshake{3000};
  /// For one TCP connect.
  std::chrono::milliseconds connect{2000};
  /// For a whole dial: name lookup, connect, TLS.
  std::chrono::milliseconds dial{5000};
  /// A peer that sends nothing for so long is gone; CAF's own heartbeats
  /// come each second.
  std::chrono::milliseconds idle{15000};
  /// A frame that began must be whole within this.
  std::chrono::milliseconds frame{10000};
  /// For tests alone: a loopback port without TLS and without a token serves
  /// every user of this machine, and is dialled unproved.
  bool open_loopback = false;
};

/// The largest frame's payload that passes: 256 KiB.
inline constexpr std::size_t frame_payload_max = 256 * 1024;

/// Counts since the link's start.
struct link_counters {
  uint64_t accepted = 0;
  /// Closed at once because no place was left.
  uint64_t over_cap = 0;
  /// TLS failed, or the certificate is not one of ours.
  uint64_t handshakes_refused = 0;
  /// Connections closed because of a frame that may not pass.
  uint64_t frames_refused = 0;
  /// Connections closed because a limit in time had passed.
  uint64_t timed_out = 0;
  uint64_t frames_passed = 0;
  /// Answers that nobody had asked for on that connection; dropped.
  uint64_t answers_refused = 0;
  /// Requests that were answered with node_busy because of a limit.
  uint64_t requests_refused = 0;
  /// Our own messages that were too big to be sent.
  uint64_t too_big = 0;
  /// Connections at the moment.
  uint64_t open = 0;
};

} // namespace forkfleet
