// SPDX-License-Identifier: Apache-2.0
// What stands between two programs on one connection: who may be asked, what
// has been asked and not answered, in each direction, and which actors each
// side knows of the other. The checks of both directions share it. Pure.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <set>
#include <string>
#include <string_view>

#include "actors/link/open_questions.hpp"
#include "actors/link/places.hpp"

namespace forkfleet {

/// How much one connection may have open.
struct exchange_bounds {
  /// The peer's requests that are not answered, or whose answers it has not
  /// read.
  std::size_t questions_max = 64;
  /// Those of them that wait for events.
  std::size_t followers_max = 8;
  /// The peer's actors that CAF keeps a proxy of.
  std::size_t actors_max = 8192;
};

/// Belongs to one connection; used on the guard's thread alone.
class exchange {
public:
  using time_point = open_questions::time_point;

  /// `host` is the one that the peer's certificate names: empty for a tool,
  /// and for a program of this machine, whose first hello tells it.
  exchange(peer_role peer, std::string host, exchange_bounds bounds = {});
  ~exchange();
  exchange(const exchange&) = delete;
  exchange& operator=(const exchange&) = delete;

  /// To be called before frames are checked; also ends what stood too long.
  void set_time(time_point now);

  // What we send.

  /// One of our actors that the peer may ask.
  void open_to_peer(uint64_t actor);
  /// One of our actors that the peer has heard of, or one that has ended.
  void show(uint64_t actor);
  void hide(uint64_t actor);
  /// Our request leaves.
  void note_asked(uint64_t actor, uint64_t data, const question& what);
  /// Our answer to the peer's `actor` leaves. Returns the id that its request
  /// had; 0 when it is not open.
  uint64_t note_answered(uint64_t actor, uint64_t data);
  /// The answers that left before have reached the peer.
  void note_read(std::size_t answers);

  // What the peer sends.

  bool may_be_asked(uint64_t actor) const;
  /// Our request that this would answer; null when none stands. `take_asked`
  /// ends it.
  const question* find_asked(uint64_t actor, uint64_t data) const;
  void take_asked(uint64_t actor, uint64_t data);

  enum class admission : uint8_t { taken, repeated, too_many, too_many_waits };
  /// The peer's request, which takes one of its places when it is taken.
  admission take_question(uint64_t actor, uint64_t data, const question& what);
  /// Whether the peer may make itself known by one more actor.
  bool take_actor(uint64_t actor);
  void drop_actor(uint64_t actor);
  /// Whether the peer may be told of the end of our `actor`: once, of one
  /// that it has heard of.
  bool take_monitor(uint64_t actor);

  /// Places of the peer that are taken.
  std::size_t questions() const;
  std::size_t waits() const { return theirs_.waiting_for_events(); }
  peer_role peer() const { return peer_; }

  const std::string& host() const { return host_; }
  /// The host of a hello that passed.
  void bind_host(std::string_view host) { host_ = host; }
  /// Whether a hello has passed: it is a node that we talk to.
  bool is_node() const { return is_node_; }
  void set_node() { is_node_ = true; }
  /// What the peer asks from now on counts against `quota`, too. With
  /// `must_be_node` nothing but a hello may be its first request.
  void enter(std::shared_ptr<identity_quota> quota, bool must_be_node);
  bool must_be_node() const { return must_be_node_ && !is_node_; }

private:
  void count();

  peer_role peer_;
  std::string host_;
  exchange_bounds bounds_;
  std::shared_ptr<identity_quota> quota_;
  std::size_t counted_questions_ = 0;
  std::size_t counted_waits_ = 0;
  bool is_node_ = false;
  bool must_be_node_ = false;
  time_point now_ = {};
  open_questions ours_;
  open_questions theirs_;
  std::size_t unread_ = 0;
  std::set<uint64_t> asked_of_us_;
  std::set<uint64_t> shown_;
  std::deque<uint64_t> shown_in_order_;
  std::set<uint64_t> monitored_;
  std::set<uint64_t> their_actors_;
};

} // namespace forkfleet
