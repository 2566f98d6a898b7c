// SPDX-License-Identifier: Apache-2.0
#include "actors/link/dialer.hpp"

#include <sys/socket.h>

#include "actors/link/local_door.hpp"
#include "actors/link/token_handshake.hpp"

namespace forkfleet {

dialer::dialer(asio::io_context& io, link_endpoint where, tls_material tls,
               limits time, done then)
  : resolver_(io), socket_(io), where_(std::move(where)), tls_(std::move(tls)),
    time_(time), then_(std::move(then)), whole_(io), connect_(io) {
  // nop
}

void dialer::start() {
  if (auto fine = check_target(); !fine)
    return finish(tl::unexpected(fine.error()));
  if (!where_.socket.empty())
    return connect_locally();
  whole_.arm(time_.whole, [self = shared_from_this()] {
    self->finish(fail(ec::deadline_exceeded,
                      "no connection to " + to_string(self->where_) + " within "
                        + std::to_string(self->time_.whole.count()) + " ms"));
  });
  const auto port = std::to_string(where_.port);
  auto error = error_code{};
  const auto address = asio::ip::make_address(where_.host, error);
  if (!error) {
    found_ =
      endpoints::create(tcp::endpoint{address, where_.port}, where_.host, port);
    connect_next(found_.begin());
    return;
  }
  resolver_.async_resolve(
    where_.host, port,
    [self = shared_from_this()](error_code x, endpoints found) {
      if (!self->then_)
        return;
      if (x)
        return self->finish(tl::unexpected(self->no_connection(x)));
      self->found_ = std::move(found);
      self->connect_next(self->found_.begin());
    });
}

status dialer::check_target() const {
  if (!where_.socket.empty() || !tls_.empty())
    return {};
  if (!is_loopback(where_.host))
    return fail(ec::invalid_request,
                to_string(where_)
                  + ": is not loopback and needs certificates "
                    "(make them with `forkfleet pki`)");
  if (tls_.token.empty() && !time_.open_loopback)
    return fail(ec::not_permitted,
                to_string(where_)
                  + ": a port of this machine could be anybody's; give a "
                    "token (--token FILE, FORKFLEET_TOKEN), or a fleet file");
  return {};
}

void dialer::connect_locally() {
  auto made = dial_locally(where_.socket);
  if (!made)
    return finish(tl::unexpected(made.error()));
  auto error = error_code{};
  socket_.assign(net_protocol{AF_UNIX, 0}, made->get(), error);
  if (error)
    return finish(tl::unexpected(no_connection(error)));
  made->release();
  finish(std::make_unique<peer_stream>(std::move(socket_)));
}

void dialer::prove_token() {
  stream_ = std::make_unique<peer_stream>(std::move(socket_));
  std::make_shared<token_handshake>(
    *stream_,
    [self = shared_from_this()](const expected<access_subject>& who) {
      if (who)
        return self->finish(std::move(self->stream_));
      auto why = who.error();
      why.message = to_string(self->where_) + ": " + why.message;
      self->finish(tl::unexpected(std::move(why)));
    })
    ->dial(tls_.token);
}

void dialer::connect_next(endpoints::const_iterator at) {
  auto error = error_code{};
  socket_.close(error);
  connect_.arm(time_.connect, [self = shared_from_this()] {
    auto ignored = error_code{};
    self->socket_.close(ignored);
  });
  socket_.async_connect(at->endpoint(),
                        [self = shared_from_this(), at](error_code x) {
                          self->on_connected(x, at);
                        });
}

void dialer::on_connected(const error_code& x, endpoints::const_iterator at) {
  if (!then_)
    return;
  connect_.disarm();
  // The limit may have closed a socket that had just connected.
  const auto is_up = !x && socket_.is_open();
  if (is_up && tls_.empty() && !tls_.token.empty())
    return prove_token();
  if (is_up && tls_.empty())
    return finish(std::make_unique<peer_stream>(std::move(socket_)));
  if (is_up)
    return shake_hands();
  if (++at != found_.end())
    return connect_next(at);
  const auto is_late = !x || x == asio::error::operation_aborted;
  finish(tl::unexpected(
    no_connection(is_late ? error_code{asio::error::timed_out} : x)));
}

void dialer::shake_hands() {
  const auto context = make_client_context(tls_);
  if (!context)
    return finish(tl::unexpected(context.error()));
  stream_ = std::make_unique<peer_stream>(std::move(socket_));
  stream_->secure(*context);
  if (auto named = require_host(stream_->native_tls(), where_.host); !named)
    return finish(tl::unexpected(named.error()));
  stream_->shake_hands(false, [self = shared_from_this()](error_code x) {
    self->on_handshake(x);
  });
}

void dialer::on_handshake(const error_code& x) {
  if (!then_)
    return;
  if (x && !is_tls_refusal(x))
    return finish(tl::unexpected(no_connection(x)));
  if (x)
    return finish(
      fail(ec::not_permitted, to_string(where_) + ": TLS: "
                                + handshake_problem(stream_->native_tls(), x)));
  const auto who = identity_of(stream_->native_tls());
  if (who != "coordinator")
    return finish(fail(ec::not_permitted, to_string(where_) + ": is \"" + who
                                            + "\", not the coordinator"));
  finish(std::move(stream_));
}

void dialer::cancel(failure why) {
  finish(tl::unexpected(std::move(why)));
}

void dialer::finish(expected<stream_ptr> outcome) {
  if (!then_)
    return;
  whole_.disarm();
  connect_.disarm();
  resolver_.cancel();
  if (!outcome) {
    auto error = error_code{};
    socket_.close(error);
    if (stream_)
      stream_->close();
  }
  const auto then = std::exchange(then_, nullptr);
  then(std::move(outcome));
}

failure dialer::no_connection(const error_code& x) const {
  const auto code =
    x == asio::error::timed_out ? ec::deadline_exceeded : ec::node_down;
  return {code,
          "cannot connect to " + to_string(where_) + ": " + link_problem(x)};
}

} // namespace forkfleet
