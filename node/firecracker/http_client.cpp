// SPDX-License-Identifier: Apache-2.0
#include "node/firecracker/http_client.hpp"

#include <array>
#include <optional>

#include <boost/beast/core/buffers_to_string.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/serializer.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/version.hpp>

#include "node/qemu/unix_socket.hpp"

namespace forkfleet::firecracker {

namespace {

namespace http = boost::beast::http;
using std::chrono::steady_clock;

http::verb verb_of(http_verb x) {
  switch (x) {
    case http_verb::put:
      return http::verb::put;
    case http_verb::patch:
      return http::verb::patch;
    case http_verb::get:
      break;
  }
  return http::verb::get;
}

// The bytes of a request.
std::string to_text(const http_request& x) {
  auto message =
    http::request<http::string_body>{verb_of(x.verb), x.target, 11};
  message.set(http::field::host, "localhost");
  message.set(http::field::accept, "application/json");
  if (!x.body.empty()) {
    message.set(http::field::content_type, "application/json");
    message.body() = x.body;
    message.prepare_payload();
  }
  auto text = std::string{};
  auto serializer = http::request_serializer<http::string_body>{message};
  auto error = boost::beast::error_code{};
  while (!serializer.is_done() && !error)
    serializer.next(error, [&](boost::beast::error_code&, const auto& buffers) {
      text += boost::beast::buffers_to_string(buffers);
      serializer.consume(boost::beast::buffer_bytes(buffers));
    });
  return text;
}

} // namespace

status http_client::connect(deadline_point until) {
  // An idle connection has nothing to say: what can be read is its end.
  if (socket_ && qemu::wait_readable(socket_.get(), steady_clock::now()))
    socket_.reset();
  if (socket_)
    return {};
  auto made = qemu::connect_unix(path_, SOCK_STREAM, until);
  if (!made)
    return tl::unexpected(made.error());
  if (auto same = server_.check(made->get(), path_); !same)
    return same;
  socket_ = std::move(*made);
  return {};
}

expected<http_answer> http_client::call(const http_request& request,
                                        deadline_point until) {
  if (auto ready = connect(until); !ready)
    return tl::unexpected(ready.error());
  auto answer = expected<http_answer>{};
  if (auto sent = qemu::send_text(socket_.get(), to_text(request), -1, until);
      !sent)
    answer = tl::unexpected(sent.error());
  else
    answer = read_answer(until);
  if (!answer) {
    // What is answered later must not be taken for the next answer.
    socket_.reset();
    return fail(answer.error().code, path_ + ": " + answer.error().message);
  }
  return answer;
}

expected<http_answer> http_client::read_answer(deadline_point until) {
  auto parser = http::response_parser<http::string_body>{};
  parser.eager(true);
  parser.header_limit(http_head_max);
  parser.body_limit(http_body_max);
  auto pending = std::string{};
  auto room = std::array<char, 4096>{};
  while (!parser.is_done()) {
    const auto got = qemu::receive(socket_.get(), room, until);
    if (!got)
      return tl::unexpected(got.error());
    auto error = boost::beast::error_code{};
    if (got->bytes == 0) {
      if (parser.got_some())
        parser.put_eof(error);
      if (!parser.is_done())
        return fail(ec::vmm_unreachable, "it closed the connection");
      break;
    }
    pending.append(room.data(), got->bytes);
    const auto used = parser.put(
      boost::asio::buffer(static_cast<const std::string&>(pending)), error);
    pending.erase(0, used);
    if (error && error != http::error::need_more)
      return fail(ec::vmm_unreachable, "not HTTP: " + error.message());
  }
  auto message = parser.release();
  if (!message.keep_alive())
    socket_.reset();
  return http_answer{message.result_int(), std::move(message.body())};
}

} // namespace forkfleet::firecracker
