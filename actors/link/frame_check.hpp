// SPDX-License-Identifier: Apache-2.0
// The part of the guard that decides: which frames of CAF's wire protocol
// (BASP 3) may reach CAF, whose own parser can be crashed and made to hand
// messages to anyone. Pure; knows neither CAF nor sockets.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "actors/link/exchange.hpp"
#include "actors/link/frame.hpp"

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
  foreign_host,
  stream_message,
  named_receiver,
  forbidden_content,
  malformed_content,
  no_request,
  wrong_receiver,
  answer_of_tool,
  repeated_request,
  too_many_actors,
  no_place,
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
    {foreign_host, "foreign_host", "speaks for another host"},
    {stream_message, "stream_message"},
    {named_receiver, "named_receiver", "one of CAF's own services"},
    {forbidden_content, "forbidden_content",
     "not a message that this peer may send"},
    {malformed_content, "malformed_content",
     "not the bytes of what it says it is"},
    {no_request, "no_request", "neither a request nor an answer"},
    {wrong_receiver, "wrong_receiver", "an actor that takes no requests"},
    {answer_of_tool, "answer_of_tool", "a tool is asked nothing"},
    {repeated_request, "repeated_request", "it stands already"},
    {too_many_actors, "too_many_actors", "more than a program has"},
    {no_place, "no_place", "no place is left for tools"},
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

  /// A request that was not passed, and is to be answered with node_busy.
  struct refusal {
    frame_header request = {};
    std::string reason = {};
  };

  /// `own_node` is this program's node identity (`node_bytes_size`). `with`
  /// outlives this, and knows who the peer is.
  frame_check(side which, std::string_view own_node, exchange& with);

  /// Called once, when the peer has shown which program it is and before
  /// anything else that it sends is looked at; a fault of its ends the check.
  using greeted = std::function<frame_fault()>;
  void on_greeted(greeted then) { greeted_ = std::move(then); }

  /// Takes what has arrived, in pieces of any size. Whole frames that may
  /// pass are appended to `out`: what nodes tell as urgent, and what tools ask
  /// as not, whatever they say themselves. After a fault nothing more is taken,
  /// and nothing of the frame at fault is in `out`. A request beyond a limit
  /// goes to `refusals`, an answer that was not asked for goes nowhere.
  frame_fault feed(std::string_view bytes, std::vector<char>& out);

  /// The requests that were refused since the last call.
  std::vector<refusal> take_refusals() { return std::exchange(refusals_, {}); }
  /// Answers that nobody had asked for, so far.
  uint64_t answers_refused() const { return answers_refused_; }

  /// The request of a program that we serve that was at fault, when its
  /// header says whom to answer.
  const std::optional<frame_header>& request_at_fault() const {
    return request_at_fault_;
  }

  /// The peer's node identity; empty before its handshake.
  const std::string& peer_node() const { return peer_node_; }
  /// Whether part of a frame waits for its rest.
  bool is_mid_frame() const { return !pending_.empty(); }
  /// Frames that passed.
  uint64_t frames() const { return frames_; }

private:
  /// What becomes of a frame that is no fault.
  enum class fate : uint8_t {
    passes,
    passes_first,
    passes_later,
    goes_nowhere
  };

  frame_fault check_header(const frame_header& x) const;
  frame_fault check_frame(const frame_header& x, std::string_view payload);
  frame_fault greet(std::string_view node);
  frame_fault check_client_handshake(std::string_view payload);
  frame_fault check_server_handshake(const frame_header& x,
                                     std::string_view payload);
  frame_fault check_direct(const frame_header& x, std::string_view payload);
  frame_fault check_answer_frame(const frame_header& x,
                                 std::string_view payload);
  frame_fault check_request(const frame_header& x, std::string_view payload);
  frame_fault admit(const frame_header& x, const question& asked);
  frame_fault check_nodes(std::string_view payload, bool with_error) const;

  side side_;
  exchange& with_;
  std::string own_node_;
  std::string peer_node_;
  std::string pending_;
  uint64_t frames_ = 0;
  uint64_t answers_refused_ = 0;
  unsigned handshakes_ = 0;
  greeted greeted_;
  fate fate_ = fate::passes;
  std::vector<refusal> refusals_;
  std::optional<frame_header> request_at_fault_;
  frame_fault fault_ = frame_fault::none;
};

} // namespace forkfleet
