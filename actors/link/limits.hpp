// SPDX-License-Identifier: Apache-2.0
// What a peer can cost us, and what has happened. Plain numbers; knows no CAF.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace forkfleet {

/// Limits of one program's link.
struct link_limits {
  /// Connections at a time that we accepted; further ones are closed at once.
  std::size_t connections_max = 256;
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
  /// Closed at once because `connections_max` were there.
  uint64_t over_cap = 0;
  /// TLS failed, or the certificate is not one of ours.
  uint64_t handshakes_refused = 0;
  /// Connections closed because of a frame that may not pass.
  uint64_t frames_refused = 0;
  /// Connections closed because a limit in time had passed.
  uint64_t timed_out = 0;
  uint64_t frames_passed = 0;
  /// Connections at the moment.
  uint64_t open = 0;
};

} // namespace forkfleet
