// SPDX-License-Identifier: Apache-2.0
#include "actors/link/listener.hpp"

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

expected<uint16_t> listener::open(const link_endpoint& where,
                                  const tls_material& tls) {
  if (tls.empty() && !is_loopback(where.host))
    return fail(ec::invalid_request,
                to_string(where)
                  + ": is not loopback and needs certificates "
                    "(make them with `forkfleet pki`)");
  const auto at = endpoint_of(where);
  if (!at)
    return tl::unexpected(at.error());
  tls_ = tls;
  if (!tls.empty()) {
    times_ = times_of_files();
    auto context = make_server_context(tls);
    if (!context)
      return tl::unexpected(context.error());
    context_ = *context;
  }
  auto error = error_code{};
  acceptor_.open(at->protocol(), error);
  if (!error)
    acceptor_.set_option(tcp::acceptor::reuse_address{true}, error);
  if (!error)
    acceptor_.bind(*at, error);
  if (!error)
    acceptor_.listen(tcp::acceptor::max_listen_connections, error);
  if (error)
    return fail(ec::io_failed, "cannot listen on " + to_string(where) + ": "
                                 + error.message());
  return acceptor_.local_endpoint(error).port();
}

void listener::start() {
  acceptor_.async_accept(
    io_, [self = shared_from_this()](error_code x, tcp::socket socket) {
      self->on_accepted(x, std::move(socket));
    });
}

void listener::close() {
  auto error = error_code{};
  pause_.disarm();
  acceptor_.close(error);
}

void listener::on_accepted(const error_code& x, tcp::socket socket) {
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
    renew_context();
    then_(std::move(socket), context_);
  }
  start();
}

void listener::renew_context() {
  if (!context_)
    return;
  const auto times = times_of_files();
  if (times == times_)
    return;
  times_ = times;
  if (auto context = make_server_context(tls_))
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
