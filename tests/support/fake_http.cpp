// SPDX-License-Identifier: Apache-2.0
#include "tests/support/fake_http.hpp"

#include <array>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <fmt/format.h>

#include "node/qemu/unix_socket.hpp"

namespace forkfleet::test {

namespace {

namespace http = boost::beast::http;
using string_request = http::request<http::string_body>;

constexpr auto patience = std::chrono::seconds{5};

std::string to_text(const fake_answer& x) {
  auto text = fmt::format("HTTP/1.1 {} \r\nServer: Firecracker API\r\n"
                          "Connection: keep-alive\r\n",
                          x.code);
  if (!x.body.empty())
    text += fmt::format("Content-Type: application/json\r\n"
                        "Content-Length: {}\r\n",
                        x.body.size());
  return text + "\r\n" + x.body;
}

void send(int socket, const fake_answer& x) {
  const auto until = std::chrono::steady_clock::now() + patience;
  static_cast<void>(qemu::send_text(socket, to_text(x), -1, until).has_value());
}

fake_answer refusal(unsigned code, const std::string& why) {
  return {.code = code, .body = fmt::format(R"({{"error":"{}"}})", why)};
}

// What the real server refuses before it looks at the path.
fake_answer check_head(const string_request& x) {
  const auto type = x[http::field::content_type];
  if (!x.body().empty() && !type.empty() && type != "application/json"
      && type != "text/plain")
    return refusal(400, "Unsupported value: Content-Type");
  const auto accept = x[http::field::accept];
  if (!accept.empty() && accept != "application/json" && accept != "*/*"
      && accept != "text/plain")
    return refusal(400, "Unsupported value: Accept");
  return {};
}

} // namespace

expected<fake_http> fake_http::listen(const std::string& path) {
  struct stat known = {};
  if (::lstat(path.c_str(), &known) == 0)
    return fail(ec::io_failed, path + ": Address in use (os error 98)");
  auto listener = qemu::listen_unix(path, SOCK_STREAM);
  if (!listener)
    return tl::unexpected(listener.error());
  return fake_http{std::move(*listener)};
}

void fake_http::run(const handler& handle) {
  while (!ends_) {
    auto entries = std::vector<pollfd>{
      {.fd = listener_.get(), .events = POLLIN, .revents = 0}};
    for (const auto& x : connections_)
      entries.push_back({.fd = x.socket.get(), .events = POLLIN, .revents = 0});
    if (::poll(entries.data(), entries.size(), -1) <= 0)
      continue;
    for (std::size_t i = 1; i < entries.size() && !ends_; ++i)
      if (entries[i].revents != 0 && !serve(connections_[i - 1], handle))
        connections_[i - 1].socket.reset();
    std::erase_if(connections_, [](const auto& x) { return !x.socket; });
    if (entries[0].revents != 0)
      accept();
  }
}

void fake_http::accept() {
  auto socket = unique_fd{
    ::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK)};
  if (!socket)
    return;
  if (connections_.size() == connections_max) {
    send(socket.get(), refusal(503, "Too many open connections."));
    return;
  }
  connections_.push_back({.socket = std::move(socket)});
}

bool fake_http::serve(connection& x, const handler& handle) {
  auto room = std::array<char, 4096>{};
  const auto got =
    qemu::receive(x.socket.get(), room, std::chrono::steady_clock::now());
  if (!got)
    return got.error().code == ec::deadline_exceeded;
  if (got->bytes == 0)
    return false;
  x.pending.append(room.data(), got->bytes);
  while (!x.pending.empty()) {
    auto parser = http::request_parser<http::string_body>{};
    parser.eager(true);
    parser.body_limit(body_max);
    auto error = boost::beast::error_code{};
    const auto used = parser.put(
      boost::asio::buffer(static_cast<const std::string&>(x.pending)), error);
    if (error == http::error::need_more || (!error && !parser.is_done()))
      return true;
    if (error) {
      send(x.socket.get(), refusal(400, error.message()));
      return false;
    }
    x.pending.erase(0, used);
    const auto& message = parser.get();
    auto answer = check_head(message);
    if (answer.body.empty())
      answer = handle({.method = std::string{message.method_string()},
                       .target = std::string{message.target()},
                       .body = message.body()});
    if (answer.is_lost)
      return false;
    send(x.socket.get(), answer);
    ends_ = answer.ends_server;
    if (ends_)
      return false;
  }
  return true;
}

} // namespace forkfleet::test
