// SPDX-License-Identifier: Apache-2.0
#include "node/firecracker/http_client.hpp"

#include <array>
#include <functional>
#include <memory>
#include <sys/socket.h>
#include <thread>
#include <vector>

#include <catch2/catch.hpp>

#include "node/qemu/unix_socket.hpp"
#include "tests/support/listening_process.hpp"
#include "tests/support/scratch.hpp"

using namespace forkfleet;
using namespace forkfleet::firecracker;
using namespace std::chrono_literals;

namespace {

deadline_point later() {
  return std::chrono::steady_clock::now() + 20s;
}

/// Serves connections one after the other: each hears its requests and says
/// what a list tells it to, then closes.
class script_server {
public:
  using replies = std::vector<std::string>;

  explicit script_server(std::vector<replies> connections) {
    listener_ = qemu::listen_unix(path(), SOCK_STREAM).value();
    thread_ = std::thread{[this, connections = std::move(connections)] {
      for (const auto& each : connections)
        serve(each);
    }};
  }
  ~script_server() { thread_.join(); }

  std::string path() const { return home_.path() + "/api.sock"; }
  std::string heard = {};

private:
  void serve(const replies& each) {
    if (!qemu::wait_readable(listener_.get(), later()))
      return;
    const auto socket =
      unique_fd{::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC)};
    for (const auto& reply : each) {
      auto room = std::array<char, 4096>{};
      const auto got = qemu::receive(socket.get(), room, later());
      if (!got || got->bytes == 0)
        return;
      heard.append(room.data(), got->bytes);
      if (!qemu::send_text(socket.get(), reply, -1, later()))
        return;
    }
  }

  test::scratch_directory home_;
  unique_fd listener_;
  std::thread thread_;
};

const std::string done = "HTTP/1.1 204 \r\nServer: Firecracker API\r\n"
                         "Connection: keep-alive\r\n\r\n";
const std::string data = "HTTP/1.1 200 \r\nContent-Type: application/json\r\n"
                         "Content-Length: 2\r\n\r\n{}";

} // namespace

TEST_CASE("a request says what it is, and is answered", "[node][http_client]") {
  auto server = script_server{{{done, data}}};
  {
    auto http = http_client{server.path()};
    const auto first = http.call(
      {.verb = http_verb::patch, .target = "/vm", .body = R"({"a":1})"},
      later());
    REQUIRE(first);
    CHECK(first->code == 204);
    const auto second = http.call({.target = "/version"}, later());
    REQUIRE(second);
    CHECK(second->code == 200);
    CHECK(second->body == "{}");
  }
  CHECK(server.heard.starts_with("PATCH /vm HTTP/1.1\r\n"));
  CHECK(server.heard.find("Content-Type: application/json\r\n")
        != std::string::npos);
  CHECK(server.heard.find("Content-Length: 7\r\n") != std::string::npos);
  CHECK(server.heard.find("GET /version HTTP/1.1\r\n") != std::string::npos);
}

TEST_CASE("a connection that ended is made anew", "[node][http_client]") {
  auto server = script_server{{{data}, {data}}};
  auto http = http_client{server.path()};
  REQUIRE(http.call({}, later()));
  auto again = http.call({}, later());
  if (!again) // the end came just after it was looked for
    again = http.call({}, later());
  CHECK(again);
}

TEST_CASE("an answer that does not come ends at the deadline, and is not "
          "taken for the next one",
          "[node][http_client][safety]") {
  auto server = script_server{{{"HTTP/1.1 200 \r\nContent-Len", done}, {done}}};
  auto http = http_client{server.path()};
  const auto soon = std::chrono::steady_clock::now() + 30ms;
  CHECK(http.call({}, soon).error().code == ec::deadline_exceeded);
  const auto next = http.call({}, later());
  REQUIRE(next);
  CHECK(next->code == 204);
}

TEST_CASE("an answer that is too long, or none of HTTP, is refused",
          "[node][http_client][safety]") {
  const auto head = "HTTP/1.1 200 \r\nContent-Length: 99999999\r\n\r\n";
  const auto reply = GENERATE_COPY(
    std::string{head}, "HTTP/1.1 200 \r\nA: " + std::string(9000, 'a'),
    std::string{"SSH-2.0-x\r\n\r\n"});
  auto server = script_server{{{reply}}};
  auto http = http_client{server.path()};
  const auto answer = http.call({}, later());
  REQUIRE_FALSE(answer);
  CHECK(answer.error().code == ec::vmm_unreachable);
  CHECK(answer.error().message.find(server.path()) != std::string::npos);
}

TEST_CASE("nobody at the socket is told with its path", "[node][http_client]") {
  auto http = http_client{"/nowhere/api.sock"};
  const auto answer = http.call({}, later());
  CHECK(answer.error().code == ec::vmm_unreachable);
  CHECK(answer.error().message.find("/nowhere/api.sock") != std::string::npos);
}

TEST_CASE("what took the place of a VMM is asked nothing",
          "[node][firecracker][http][safety]") {
  const test::scratch_directory home{};
  const auto path = home.path() + "/api.sock";
  auto first = std::make_unique<test::listening_process>(path);
  auto client = http_client{path};
  const auto unanswered =
    client.call({}, std::chrono::steady_clock::now() + 10ms);
  REQUIRE_FALSE(unanswered);
  CHECK(unanswered.error().code == ec::deadline_exceeded);
  first.reset();
  const test::listening_process second{path};
  const auto refused = client.call({}, later());
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == ec::vmm_gone);
}
