// SPDX-License-Identifier: Apache-2.0
// What a guest may do to who talks to its agent.
#include "node/agent/guest_agent.hpp"

#include <sys/resource.h>
#include <sys/socket.h>
#include <thread>

#include <catch2/catch.hpp>

#include "actors/base64.hpp"
#include "node/qemu/qmp_client.hpp"
#include "node/qemu/unix_socket.hpp"
#include "tests/support/fake_agent.hpp"
#include "tests/support/scratch.hpp"

using namespace forkfleet;
using namespace forkfleet::test;
using namespace std::chrono_literals;

namespace {

using std::chrono::steady_clock;

deadline_point in(std::chrono::milliseconds time) {
  return steady_clock::now() + time;
}

/// An agent that is no agent: it answers the first line that comes, and says
/// `text` to all others until nobody hears it any more.
class hostile_agent {
public:
  explicit hostile_agent(std::string text, bool is_endless = false)
    : text_{std::move(text)}, is_endless_{is_endless} {
    auto listener = qemu::listen_unix(path(), SOCK_STREAM);
    REQUIRE(listener);
    listener_ = std::move(*listener);
    thread_ = std::thread{[this] { serve(); }};
  }
  ~hostile_agent() {
    ::shutdown(listener_.get(), SHUT_RDWR);
    thread_.join();
  }
  std::string path() const { return home_.path() + "/agent.sock"; }

private:
  void serve() {
    while (qemu::wait_readable(listener_.get(), in(60s))) {
      const auto socket =
        unique_fd{::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC)};
      if (!socket)
        return;
      serve_one(socket.get());
    }
  }
  void serve_one(int socket) {
    auto room = std::array<char, 65536>{};
    const auto got = qemu::receive(socket, room, in(10s));
    if (!got || got->bytes == 0)
      return;
    auto line = std::string{room.data(), got->bytes};
    line.erase(0, line.rfind('\xff') + 1);
    const auto command = schema::parse_json(line);
    REQUIRE(command);
    const auto id =
      qemu::number_member(qemu::member(*command, "arguments"), "id");
    say(socket, "\xff{\"return\":" + std::to_string(id) + "}\n");
    const auto heard = qemu::receive(socket, room, in(10s));
    if (!heard || heard->bytes == 0)
      return;
    do {
      if (!say(socket, text_))
        return;
    } while (is_endless_);
    static_cast<void>(qemu::receive(socket, room, in(10s)).has_value());
  }
  static bool say(int socket, const std::string& text) {
    return qemu::send_text(socket, text, -1, in(10s)).has_value();
  }

  scratch_directory home_;
  std::string text_;
  bool is_endless_;
  unique_fd listener_;
  std::thread thread_;
};

expected<schema::json> ask(const hostile_agent& guest,
                           std::chrono::milliseconds patience = 10s) {
  auto agent = guest_agent::connect(guest.path(), in(patience));
  REQUIRE(agent);
  return agent->execute("guest-info", schema::json::object(), in(patience));
}

long peak_kib() {
  auto usage = rusage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

std::string many(const std::string& x, std::size_t bytes) {
  auto text = std::string{};
  while (text.size() < bytes)
    text += x;
  return text;
}

} // namespace

TEST_CASE("a port on which nothing is heard is opened again",
          "[node][agent][safety]") {
  fake_agent guest;
  guest.deaf_connections = 1;
  const auto agent = guest_agent::connect(guest.socket(), in(20s));
  CHECK(agent);
  CHECK(guest.connections == 2);
}

TEST_CASE("what an agent said to somebody else is no answer",
          "[node][agent][safety]") {
  fake_agent guest;
  guest.greeting = "{\"return\":{}}\nhalf a line\n{\"return\": 7";
  auto agent = guest_agent::connect(guest.socket(), in(20s));
  REQUIRE(agent);
  const auto clock = agent->clock(in(20s));
  REQUIRE(clock);
  CHECK(clock->count() > 1'000'000'000'000'000);
}

TEST_CASE("a guest's answer of any size and shape costs little",
          "[node][agent][safety]") {
  const auto text = GENERATE(
    many("[", 8u << 20) + "\n", many("[0,", 8u << 20) + "\n",
    "{\"return\":[" + many("{},", 200'000) + "{}]}\n",
    "{\"return\":\"" + many("x", 8u << 20) + "\"}\n",
    "{\"return\":\"" + many("x", 8u << 20), std::string(8u << 20, '\n'),
    many("{\"a\":", 200'000) + "\n", many("\xff", 200'000) + "\n",
    std::string{"nothing of the kind\n"}, std::string{"[]\n"});
  const auto guest = hostile_agent{text};
  const auto before = peak_kib();
  const auto answer = ask(guest);
  REQUIRE_FALSE(answer);
  CHECK(answer.error().code == ec::vmm_unreachable);
  CHECK(answer.error().message.size() < 1000);
  // Its text is ours, too, in this process.
  CHECK(peak_kib() - before < 20 * 1024);
}

TEST_CASE("a guest's refusal is short and harmless", "[node][agent][safety]") {
  const auto guest = hostile_agent{
    "{\"error\":{\"class\":\"GenericError\",\"desc\":\"\\u001b]0;owned\\u0007"
    + many("long ", 200'000) + "\"}}\n"};
  const auto answer = ask(guest);
  REQUIRE_FALSE(answer);
  CHECK(answer.error().code == ec::vmm_refused);
  CHECK(answer.error().message.size() < 1000);
  CHECK(answer.error().message.find('\x1b') == std::string::npos);
}

TEST_CASE("a guest that talks all the time keeps nobody longer",
          "[node][agent][safety]") {
  // It never says what it is asked in the beginning.
  fake_agent guest;
  guest.is_mute = true;
  guest.greeting = many("{\"return\":1}\n", 1u << 20);
  const auto agent = guest_agent::connect(guest.socket(), in(1500ms));
  REQUIRE_FALSE(agent);
  CHECK(agent.error().code == ec::deadline_exceeded);
}

TEST_CASE("a guest that gives more of a file than was asked for gives nothing",
          "[node][agent][safety]") {
  const auto guest =
    hostile_agent{"{\"return\":1}\n{\"return\":{\"count\":9,\"buf-b64\":\""
                  + to_base64(std::string(90'000, 'x')) + "\",\"eof\":true}}\n"
                  + "{\"return\":{}}\n"};
  auto agent = guest_agent::connect(guest.path(), in(10s));
  REQUIRE(agent);
  const auto piece = agent->read_piece("/x", 0, 64 * 1024, in(10s));
  REQUIRE_FALSE(piece);
  CHECK(piece.error().code == ec::vmm_refused);
}
