// SPDX-License-Identifier: Apache-2.0
// Which messages may come from whom, and whether their bytes are exactly
// what they claim to be. Pure; knows no CAF.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "actors/link/wire_reader.hpp"
#include "actors/schema/fields.hpp"

namespace forkfleet {

/// Who is at the other end of a connection.
enum class peer_role : uint8_t {
  /// A tool: may ask what `client_api` offers.
  client,
  /// A NODE: may say what `membership_api` offers, and answer.
  node,
  /// A program of this machine without TLS: both of the above.
  local,
  /// The COORDINATOR, when we dialled it.
  coordinator,
};

constexpr auto enum_table(peer_role) {
  using enum peer_role;
  return std::to_array<schema::enum_entry<peer_role>>({
    {client, "client"},
    {node, "node"},
    {local, "local"},
    {coordinator, "coordinator"},
  });
}

/// A program's node identity, as it stands in frames.
inline constexpr std::size_t node_bytes_size = 32;

/// What a message's content came to.
enum class content_verdict : uint8_t {
  passes,
  /// Not a message that this peer may send.
  forbidden,
  /// Not the bytes of what it says it is.
  malformed,
  /// A handle of a program that is not the peer itself.
  foreign,
};

/// Looks at a direct message's payload: no stages, one of the peer's own
/// messages, each field in its place, nothing behind it. A handle in it must
/// be of the program `peer_node`.
content_verdict check_content(std::string_view payload, peer_role peer,
                              std::string_view peer_node);

/// Whether an error stands at the cursor: a code, a category, and a context
/// of texts and numbers alone. Moves behind it.
bool walk_error(wire_reader& in);

} // namespace forkfleet
