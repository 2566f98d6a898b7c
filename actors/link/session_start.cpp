// SPDX-License-Identifier: Apache-2.0
// How a session begins: by which door it came, who is there, and what it may
// begin with.
#include <algorithm>

#include "actors/link/session.hpp"
#include "actors/link/token_handshake.hpp"

namespace forkfleet {

void session::accept(const door& how) {
  in_limit_.arm(core_.limits.handshake, [self = shared_from_this()] {
    self->time_out("no handshake in time");
  });
  if (how.kind == door_kind::tokens) {
    std::make_shared<token_handshake>(
      *net_, [self = shared_from_this()](
               const expected<access_subject>& who) { self->on_token(who); })
      ->accept(how.tokens);
    return;
  }
  if (how.kind != door_kind::certificates) {
    identity_ = "loopback";
    subject_ = how.kind == door_kind::local
                 ? how.local
                 : access_subject{"loopback", {}, access_role::admin};
    start(frame_check::side::accepted, peer_role::local);
    return;
  }
  net_->secure(how.tls);
  net_->shake_hands(
    true, [self = shared_from_this()](error_code x) { self->on_handshake(x); });
}

void session::on_token(const expected<access_subject>& who) {
  if (is_closed_)
    return;
  if (!who)
    return close(ending::handshake_refused, who.error());
  identity_ = who->name;
  subject_ = *who;
  if (core_.denied.is_denied(subject_))
    return judge_again();
  start(frame_check::side::accepted, peer_role::client);
}

void session::judge_again() {
  if (!core_.denied.is_denied(subject_))
    return;
  close(ending::handshake_refused,
        {ec::not_permitted, text_of(subject_) + " is denied access"});
}

void session::watch_term() {
  using std::chrono::milliseconds;
  // A steady timer does not see the clock being set, so it looks again.
  constexpr milliseconds look_again{60'000};
  const auto left = std::chrono::duration_cast<milliseconds>(
    until_ - std::chrono::system_clock::now());
  if (left <= milliseconds::zero())
    return close(ending::handshake_refused,
                 {ec::not_permitted,
                  "the certificate of " + text_of(subject_) + " has expired"});
  term_.arm(std::min(left + milliseconds{1}, look_again),
            [self = shared_from_this()] { self->watch_term(); });
}

void session::on_handshake(const error_code& x) {
  if (is_closed_)
    return;
  if (x)
    return close(
      is_tls_refusal(x) ? ending::handshake_refused : ending::closed,
      {ec::not_permitted, "TLS: " + handshake_problem(net_->native_tls(), x)});
  const auto facts = facts_of(net_->native_tls());
  subject_ = facts.subject;
  until_ = facts.until;
  identity_ = subject_.name;
  const auto role = role_of(identity_);
  if (!role)
    return close(ending::handshake_refused, role.error());
  if (core_.denied.is_denied(subject_))
    return judge_again();
  watch_term();
  if (is_closed_)
    return;
  start(frame_check::side::accepted, *role);
}

void session::run_dialled() {
  in_limit_.arm(core_.limits.handshake, [self = shared_from_this()] {
    self->time_out("no handshake in time");
  });
  identity_ = "loopback";
  if (net_->is_secure()) {
    const auto facts = facts_of(net_->native_tls());
    identity_ = facts.subject.name;
    subject_ = facts.subject;
    until_ = facts.until;
    watch_term();
  }
  if (is_closed_)
    return;
  start(frame_check::side::dialled, peer_role::coordinator);
  hand_over();
}

void session::start(frame_check::side which, peer_role role) {
  constexpr auto prefix = std::string_view{"node:"};
  auto host =
    role == peer_role::node ? identity_.substr(prefix.size()) : std::string{};
  const auto& limits = core_.limits;
  exchange_.emplace(role, std::move(host),
                    exchange_bounds{.questions_max = limits.questions_max,
                                    .followers_max = limits.waits_max});
  check_.emplace(which, core_.own_node, *exchange_);
  outgoing_.emplace(*exchange_);
  // The check is part of this session.
  check_->on_greeted([this] { return enter(); });
  read_peer();
}

frame_fault session::enter() {
  auto found = core_.rooms.enter(exchange_->peer(), identity_);
  if (!found)
    return frame_fault::no_place;
  place_ = std::move(*found);
  exchange_->enter(place_.quota(), place_.what() == place::kind::unproven);
  return frame_fault::none;
}

bool session::hand_over() {
  auto ends = make_socket_pair();
  auto error = error_code{};
  if (ends)
    caf_.assign(asio::local::stream_protocol{}, ends->first.get(), error);
  if (!ends || error) {
    close(ending::closed,
          ends ? failure{ec::io_failed, error.message()} : ends.error());
    return false;
  }
  ends->first.release();
  const auto ready = std::exchange(events_.ready, nullptr);
  ready(std::move(ends->second));
  read_caf();
  return true;
}

} // namespace forkfleet
