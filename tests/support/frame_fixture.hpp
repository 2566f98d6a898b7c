// SPDX-License-Identifier: Apache-2.0
// A frame check with a peer that has or has not introduced itself.
#pragma once

#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "actors/link/frame_check.hpp"
#include "tests/support/frames.hpp"

namespace forkfleet::test {

inline const auto own = node_bytes(1);
inline const auto peer = node_bytes(2);
inline const auto other = node_bytes(3);

inline constexpr uint64_t normal = message_bits::is_normal;
inline constexpr uint64_t own_actor = 31;

/// `x` as an answer to our actor's request.
inline frame answer(uint64_t request, frame x) {
  x.data = message_bits::is_answer | normal | request;
  x.target = own_actor;
  return x;
}

inline frame told(std::string_view type, std::string_view values) {
  return direct("+forkfleet::" + std::string{type}, values);
}

inline frame goodbye(const std::string& host) {
  return told("node_goodbye", packed_text(host) + number(1, 8));
}

inline frame hello(const std::string& host) {
  const auto values = number(1, 4) + packed_text(host) + number(1, 8)
                      + number(0, 8) + std::string(6, '\0') + number(0, 64);
  return direct("+forkfleet::node_hello+forkfleet::node_actor",
                values + number(9, 8) + peer);
}

/// What a coordinator sees of a peer.
struct accepted_fixture {
  explicit accepted_fixture(
    peer_role role = peer_role::local, std::string host = {},
    frame_check::side side = frame_check::side::accepted)
    : with(role, std::move(host)), check(side, own, with) {
    with.open_to_peer(some_actor);
  }

  exchange with;
  frame_check check;
  std::vector<char> out;

  frame_fault send(const std::string& bytes) { return check.feed(bytes, out); }
  frame_fault send(const frame& x) { return send(x.bytes()); }
  void greet() { REQUIRE(send(client_handshake(peer)) == frame_fault::none); }
  frame_fault greet_and_send(const frame& x) {
    greet();
    return send(x);
  }
  /// Our actor asks the peer for a branch.
  void ask_peer(uint64_t request) {
    const auto* asked = find_question("+forkfleet::branch_request");
    with.note_asked(own_actor, normal | request, *asked);
  }
};

/// What a node sees of its coordinator.
struct dialled_fixture : accepted_fixture {
  dialled_fixture()
    : accepted_fixture{peer_role::coordinator, {}, frame_check::side::dialled} {
    // nop
  }
};

inline frame_fault fault_for(peer_role role, const frame& x) {
  auto one = accepted_fixture{role, role == peer_role::node ? "h1" : ""};
  return one.greet_and_send(x);
}

} // namespace forkfleet::test
