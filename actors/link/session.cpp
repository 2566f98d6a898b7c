// SPDX-License-Identifier: Apache-2.0
#include "actors/link/session.hpp"

#include <algorithm>

#include "actors/link/token_handshake.hpp"

namespace forkfleet {

session::session(guard_core& core, asio::io_context& io,
                 std::unique_ptr<peer_stream> net, events then)
  : core_(core), net_(std::move(net)), caf_(io), events_(std::move(then)),
    in_limit_(io), out_limit_(io), term_(io) {
  ++core_.counts.open;
}

session::~session() {
  --core_.counts.open;
}

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
  if (hand_over())
    start(frame_check::side::dialled, peer_role::coordinator);
}

void session::start(frame_check::side which, peer_role role) {
  check_.emplace(which, role, core_.own_node);
  read_peer();
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

void session::read_peer() {
  net_->read(asio::buffer(from_peer_),
             [self = shared_from_this()](error_code x, std::size_t bytes) {
               self->on_peer_bytes(x, bytes);
             });
}

void session::on_peer_bytes(const error_code& x, std::size_t bytes) {
  if (is_closed_)
    return;
  if (x)
    return lost(x);
  const auto fault =
    check_->feed(std::string_view{from_peer_.data(), bytes}, passed_);
  if (fault != frame_fault::none)
    return close(ending::frame_refused,
                 {ec::not_permitted, "a frame that may not pass: "
                                       + std::string{schema::name_of(fault)}});
  if (!is_greeted_ && !check_->peer_node().empty() && !greet())
    return;
  limit_next_read();
  pass_inward();
}

bool session::greet() {
  if (!core_.peers.bind(check_->peer_node(), identity_)) {
    close(ending::frame_refused,
          {ec::not_permitted, "another peer's program identity"});
    return false;
  }
  is_greeted_ = true;
  core_.subjects.enter(check_->peer_node(), subject_);
  return caf_.is_open() || hand_over();
}

void session::limit_next_read() {
  // The first limit holds until the handshake, however it trickles in.
  if (!is_greeted_)
    return;
  const auto is_mid = check_->is_mid_frame();
  const auto has_passed = check_->frames() != frames_seen_;
  core_.counts.frames_passed += check_->frames() - frames_seen_;
  frames_seen_ = check_->frames();
  // A frame that began earlier keeps the limit that it began with.
  if (is_mid && was_mid_frame_ && !has_passed)
    return;
  was_mid_frame_ = is_mid;
  in_limit_.arm(is_mid ? core_.limits.frame : core_.limits.idle,
                [self = shared_from_this(), is_mid] {
                  self->time_out(is_mid ? "a frame that does not end"
                                        : "silent for too long");
                });
}

void session::pass_inward() {
  if (passed_.empty())
    return read_peer();
  asio::async_write(caf_, asio::buffer(passed_),
                    [self = shared_from_this()](error_code x, std::size_t) {
                      if (self->is_closed_)
                        return;
                      if (x)
                        return self->lost(x);
                      self->passed_.clear();
                      self->read_peer();
                    });
}

void session::read_caf() {
  caf_.async_read_some(
    asio::buffer(from_caf_),
    [self = shared_from_this()](error_code x, std::size_t bytes) {
      self->on_caf_bytes(x, bytes);
    });
}

void session::on_caf_bytes(const error_code& x, std::size_t bytes) {
  if (is_closed_)
    return;
  if (x)
    return close(ending::closed, {ec::node_down, "closed by this side"});
  out_limit_.arm(core_.limits.idle, [self = shared_from_this()] {
    self->time_out("does not read");
  });
  net_->write(asio::buffer(from_caf_.data(), bytes),
              [self = shared_from_this()](error_code y, std::size_t) {
                if (self->is_closed_)
                  return;
                self->out_limit_.disarm();
                if (y)
                  return self->lost(y);
                self->read_caf();
              });
}

void session::lost(const error_code& x) {
  if (is_tls_refusal(x))
    close(ending::handshake_refused,
          {ec::not_permitted, "TLS refused by the other side: " + x.message()});
  else
    close(ending::closed,
          {ec::node_down, "connection lost: " + link_problem(x)});
}

void session::time_out(const char* what) {
  close(ending::timed_out, {ec::deadline_exceeded, what});
}

void session::close(ending how, failure why) {
  if (std::exchange(is_closed_, true))
    return;
  in_limit_.disarm();
  out_limit_.disarm();
  term_.disarm();
  if (is_greeted_) {
    core_.peers.unbind(check_->peer_node());
    core_.subjects.leave(check_->peer_node());
  }
  core_.note_ending(how, net_->peer(), why);
  // The reason is told before CAF can see the end. The events are let go,
  // because they hold whoever waits for them.
  const auto then = std::exchange(events_, {});
  if (then.closed)
    then.closed(why);
  auto error = error_code{};
  caf_.close(error);
  net_->close();
}

} // namespace forkfleet
