// SPDX-License-Identifier: Apache-2.0
// How who comes in by one of our listeners proves himself. Plain data.
#pragma once

#include <cstdint>
#include <string>

#include "actors/access.hpp"
#include "actors/link/tls.hpp"

namespace forkfleet {

enum class door_kind : uint8_t {
  /// Mutual TLS.
  certificates,
  /// A loopback port: both sides prove that they know a token.
  tokens,
  /// A Unix socket: the kernel has said who it is.
  local,
  /// A loopback port that proves nothing: for tests alone.
  open,
};

/// Of one accepted connection.
struct door {
  door_kind kind = door_kind::open;
  tls_context tls = {};      // of `certificates`
  std::string tokens = {};   // of `tokens`: their directory
  access_subject local = {}; // of `local`
};

} // namespace forkfleet
