// SPDX-License-Identifier: Apache-2.0
#include "actors/link/listener.hpp"

#include <cstring>
#include <sys/socket.h>
#include <unistd.h>

#include "actors/link/local_door.hpp"
#include "actors/log.hpp"

namespace forkfleet {

namespace {

// After an accept that failed for want of descriptors or memory.
constexpr std::chrono::milliseconds pause_after_error{100};

expected<tcp::endpoint> endpoint_of(const link_endpoint& where) {
  auto error = error_code{};
  const auto address = asio::ip::make_address(
    where.host == "localhost" ? "127.0.0.1" : where.host, error);
  if (error)
    return fail(ec::invalid_request,
                to_string(where) + ": is no address to listen on");
  return tcp::endpoint{address, where.port};
}

} // namespace

listener::listener(guard_core& core, asio::io_context& io, accepted then)
  : core_(core), io_(io), acceptor_(io), pause_(io), then_(std::move(then)) {
  // nop
}

expected<door_kind> listener::choose_kind(const link_endpoint& where) const {
  if (!where.socket.empty())
    return door_kind::local;
  if (!tls_.empty())
    return door_kind::certificates;
  if (!is_loopback(where.host))
    return fail(ec::invalid_request,
                to_string(where)
                  + ": is not loopback and needs certificates "
                    "(make them with `forkfleet pki`)");
  if (!tls_.token.empty())
    return door_kind::tokens;
  if (core_.limits.open_loopback)
    return door_kind::open;
  return fail(ec::invalid_request,
              to_string(where)
                + ": every user of this machine could come in; it needs "
                  "certificates or tokens");
}

expected<uint16_t> listener::open(const link_endpoint& where,
                                  const tls_material& tls) {
  tls_ = tls;
  const auto kind = choose_kind(where);
  if (!kind)
    return tl::unexpected(kind.error());
  kind_ = *kind;
  if (kind_ == door_kind::certificates) {
    times_ = times_of_files();
    auto context = make_server_context(tls, core_.denied);
    if (!context)
      return tl::unexpected(context.error());
    context_ = *context;
  }
  const auto is_local = kind_ == door_kind::local;
  const auto opened = is_local ? open_socket(where.socket) : open_port(where);
  if (!opened)
    return tl::unexpected(opened.error());
  if (is_local)
    return uint16_t{0};
  auto error = error_code{};
  const auto bound = acceptor_.local_endpoint(error);
  auto address = tcp::endpoint{};
  std::memcpy(address.data(), bound.data(), bound.size());
  address.resize(bound.size());
  return address.port();
}

status listener::open_socket(const std::string& path) {
  auto made = listen_locally(path);
  if (!made)
    return tl::unexpected(made.error());
  auto error = error_code{};
  acceptor_.assign(net_protocol{AF_UNIX, 0}, made->get(), error);
  if (error)
    return fail(ec::io_failed,
                "cannot listen on " + path + ": " + error.message());
  made->release();
  return {};
}

status listener::open_port(const link_endpoint& where) {
  const auto at = endpoint_of(where);
  if (!at)
    return tl::unexpected(at.error());
  auto error = error_code{};
  acceptor_.open(at->protocol(), error);
  if (!error)
    acceptor_.set_option(asio::socket_base::reuse_address{true}, error);
  if (!error)
    acceptor_.bind(*at, error);
  if (!error)
    acceptor_.listen(asio::socket_base::max_listen_connections, error);
  if (error)
    return fail(ec::io_failed, "cannot listen on " + to_string(where) + ": "
                                 + error.message());
  return {};
}

void listener::start() {
  acceptor_.async_accept(
    io_, [self = shared_from_this()](error_code x, net_socket socket) {
      self->on_accepted(x, std::move(socket));
    });
}

void listener::close() {
  auto error = error_code{};
  pause_.disarm();
  acceptor_.close(error);
}

void listener::on_accepted(const error_code& x, net_socket socket) {
  if (!acceptor_.is_open())
    return;
  if (x) {
    pause_.arm(pause_after_error,
               [self = shared_from_this()] { self->start(); });
    return;
  }
  // Each has a cap of its own further in; this one is for descriptors.
  const auto& limits = core_.limits;
  if (core_.counts.open
      >= limits.connections_max + limits.nodes_max + limits.waiting_max) {
    ++core_.counts.over_cap;
  } else {
    ++core_.counts.accepted;
    if (const auto how = admit(socket))
      then_(std::move(socket), *how);
  }
  start();
}

std::optional<door> listener::admit(net_socket& socket) {
  auto how = door{.kind = kind_};
  if (kind_ == door_kind::certificates) {
    renew_context();
    how.tls = context_;
  }
  if (kind_ == door_kind::tokens)
    how.tokens = tls_.token;
  if (kind_ != door_kind::local)
    return how;
  const auto user = peer_user(socket.native_handle());
  const auto name = user ? "uid:" + std::to_string(*user) : "local";
  if (user && serves_user(::geteuid(), *user)) {
    how.local = {.name = name, .serial = {}, .role = access_role::admin};
    return how;
  }
  core_.note_ending(ending::handshake_refused, name, name,
                    {ec::not_permitted, "this socket serves this program's "
                                        "own user and root alone"});
  return {};
}

void listener::renew_context() {
  if (!context_)
    return;
  const auto times = times_of_files();
  if (times == times_)
    return;
  times_ = times;
  if (auto context = make_server_context(tls_, core_.denied))
    context_ = *context;
  else
    log::error("certificates.refused", {{"reason", context.error()}});
}

listener::file_times listener::times_of_files() const {
  auto error = std::error_code{};
  return {std::filesystem::last_write_time(tls_.authority, error),
          std::filesystem::last_write_time(tls_.certificate, error),
          std::filesystem::last_write_time(tls_.key, error)};
}

} // namespace forkfleet
