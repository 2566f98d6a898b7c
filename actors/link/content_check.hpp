// SPDX-License-Identifier: Apache-2.0
// Which messages may come from whom, and whether their bytes are exactly
// what they claim to be. Pure; knows no CAF.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "actors/link/host_claims.hpp"
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
  /// Speaks for a host that is not the peer's.
  foreign_host,
};

/// Who asks a question of whom.
enum class question_kind : uint8_t {
  /// A tool asks the COORDINATOR.
  of_client,
  /// A NODE tells the COORDINATOR.
  of_node,
  /// The COORDINATOR asks a NODE.
  of_coordinator,
};

/// A request and its only answer, beside an error.
struct question {
  using walker = bool (*)(wire_reader&, host_claims*);

  question_kind kind = question_kind::of_client;
  /// The types' names behind CAF's "@<>", such as "+forkfleet::done".
  std::string types = {};
  std::string answer_types = {};
  walker walk = nullptr;
  walker walk_answer = nullptr;
  /// A node's first message; its handle comes beside it.
  bool is_hello = false;
  /// May be left unanswered until something happens.
  bool waits_for_events = false;
};

/// Every pair of `client_api`, `upkeep_api` and `membership_api`, by kind.
const std::vector<question>& all_questions();

/// A direct message's payload up to its values.
struct content_head {
  /// Behind CAF's "@<>".
  std::string_view types = {};
  wire_reader values{{}};
};

/// Reads a payload's head. False when it is none, or has stages.
bool read_head(std::string_view payload, content_head& head);

/// The question that these types are, when `asker` may ask it; else null.
const question* find_question(std::string_view types, peer_role asker);
/// The question that these types are, whoever asks it; else null.
const question* find_question(std::string_view types);

/// Who speaks: the program, and the host that it may speak for. An empty
/// host: the first hello will tell it.
struct speaker {
  std::string_view node = {};
  std::string_view host = {};
};

/// A handle that came beside a hello, and the host that it named.
struct hello_content {
  uint64_t actor = 0;
  std::string_view host = {};
};

/// Looks at a question's values: each field in its place, nothing behind it.
/// What a node tells must name the speaker's host, and no other. `hello`
/// takes what a hello brings.
content_verdict check_question(const question& which, wire_reader values,
                               const speaker& who, hello_content& hello);

/// The same of an answer: the one of the question's, or an error. With
/// `names_hosts` it must not name another host than the speaker's.
content_verdict check_answer(const question& which, const content_head& head,
                             const speaker& who, bool names_hosts);

/// Whether an error stands at the cursor: a code, a category, and a context
/// of texts and numbers alone. Moves behind it.
bool walk_error(wire_reader& in);

} // namespace forkfleet
