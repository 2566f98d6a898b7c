// SPDX-License-Identifier: Apache-2.0
#include "actors/link/session.hpp"

#include <algorithm>

#include "actors/link/farewell.hpp"
#include "actors/log.hpp"

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

void session::read_peer() {
  is_reading_peer_ = true;
  net_->read(asio::buffer(from_peer_),
             [self = shared_from_this()](error_code x, std::size_t bytes) {
               self->is_reading_peer_ = false;
               self->on_peer_bytes(x, bytes);
             });
}

void session::on_peer_bytes(const error_code& x, std::size_t bytes) {
  if (is_closed_)
    return;
  if (x)
    return lost(x);
  exchange_->set_time(std::chrono::steady_clock::now());
  const auto fault =
    check_->feed(std::string_view{from_peer_.data(), bytes}, inward_.waiting);
  note_frames();
  if (fault != frame_fault::none)
    return refuse(fault);
  if (!is_greeted_ && !check_->peer_node().empty() && !greet())
    return;
  answer_refusals();
  limit_next_read();
  flush_inward();
  go_on_reading();
}

void session::refuse(frame_fault fault) {
  auto why = refusal_of(fault, identity_);
  if (const auto& asked = check_->request_at_fault())
    farewell_ = make_farewell(*asked, why);
  const auto is_full = fault == frame_fault::no_place;
  close(is_full ? ending::over_cap : ending::frame_refused, std::move(why));
}

void session::say_farewell() {
  net_->write(asio::buffer(farewell_),
              [self = shared_from_this()](error_code, std::size_t) {});
}

void session::note_frames() {
  if (exchange_->is_node())
    place_.prove_node();
  const auto refused = check_->answers_refused() - answers_refused_seen_;
  if (refused == 0)
    return;
  answers_refused_seen_ += refused;
  core_.counts.answers_refused += refused;
  log::warn(
    "answer.refused",
    {{"identity", identity_}, {"peer", net_->peer()}, {"count", refused}});
}

void session::answer_refusals() {
  const auto refused = check_->take_refusals();
  if (refused.empty())
    return;
  for (const auto& x : refused) {
    const auto frame = make_error_frame(
      x.request, static_cast<uint8_t>(ec::node_busy), x.reason);
    outward_.waiting.insert(outward_.waiting.end(), frame.begin(), frame.end());
  }
  core_.counts.requests_refused += refused.size();
  log::warn("request.refused", {{"identity", identity_},
                                {"peer", net_->peer()},
                                {"reason", refused.front().reason},
                                {"count", refused.size()}});
  flush_outward();
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

bool session::lane::take_next() {
  if (is_busy() || waiting.empty())
    return false;
  flying.swap(waiting);
  answers_flying = std::exchange(answers_waiting, 0);
  return true;
}

// Not while CAF has to take what came before, nor while the peer leaves too
// much unread: `out_limit_` then ends the connection.
void session::go_on_reading() {
  if (is_closed_ || is_reading_peer_ || inward_.bytes() > 0
      || outward_.bytes() > core_.limits.unread_max)
    return;
  read_peer();
}

void session::flush_inward() {
  if (!caf_.is_open() || !inward_.take_next())
    return;
  asio::async_write(caf_, asio::buffer(inward_.flying),
                    [self = shared_from_this()](error_code x, std::size_t) {
                      if (self->is_closed_)
                        return;
                      if (x)
                        return self->lost(x);
                      self->inward_.flying.clear();
                      self->flush_inward();
                      self->go_on_reading();
                    });
}

void session::flush_outward() {
  if (!outward_.take_next())
    return;
  out_limit_.arm(core_.limits.idle, [self = shared_from_this()] {
    self->time_out("does not read");
  });
  net_->write(asio::buffer(outward_.flying),
              [self = shared_from_this()](error_code x, std::size_t) {
                self->on_written_outward(x);
              });
}

void session::on_written_outward(const error_code& x) {
  if (is_closed_)
    return x || farewell_.empty() ? void() : say_farewell();
  if (x)
    return lost(x);
  out_limit_.disarm();
  exchange_->note_read(outward_.answers_flying);
  outward_.flying.clear();
  flush_outward();
  read_caf();
  go_on_reading();
}

void session::read_caf() {
  if (is_reading_caf_ || outward_.is_busy() || !caf_.is_open())
    return;
  is_reading_caf_ = true;
  caf_.async_read_some(
    asio::buffer(from_caf_),
    [self = shared_from_this()](error_code x, std::size_t bytes) {
      self->is_reading_caf_ = false;
      self->on_caf_bytes(x, bytes);
    });
}

void session::on_caf_bytes(const error_code& x, std::size_t bytes) {
  if (is_closed_)
    return;
  if (x)
    return close(ending::closed, {ec::node_down, "closed by this side"});
  exchange_->set_time(std::chrono::steady_clock::now());
  outgoing_->feed(std::string_view{from_caf_.data(), bytes}, outward_.waiting,
                  inward_.waiting);
  outward_.answers_waiting += outgoing_->take_answers();
  note_oversizes();
  flush_outward();
  flush_inward();
  read_caf();
}

void session::note_oversizes() {
  for (const auto& x : outgoing_->take_oversizes()) {
    ++core_.counts.too_big;
    log::error("message.too_big", {{"identity", identity_},
                                   {"is_answer", x.head.is_answer()},
                                   {"bytes", x.bytes},
                                   {"bytes_max", frame_payload_max}});
  }
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
  core_.note_ending(how, net_->peer(), identity_, why);
  place_ = place{};
  // The reason is told before CAF can see the end. The events are let go,
  // because they hold whoever waits for them.
  const auto then = std::exchange(events_, {});
  if (then.closed)
    then.closed(why);
  auto error = error_code{};
  caf_.close(error);
  if (farewell_.empty() || core_.farewells == farewells_max)
    return farewell_.clear(), net_->close();
  ++core_.farewells;
  in_limit_.arm(farewell_limit, [self = shared_from_this()] {
    --self->core_.farewells;
    self->net_->close();
  });
  if (!outward_.is_busy())
    say_farewell();
}

} // namespace forkfleet
