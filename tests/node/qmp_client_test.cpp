// SPDX-License-Identifier: Apache-2.0
#include "node/qemu/qmp_client.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <catch2/catch.hpp>

#include "node/qemu/unix_socket.hpp"
#include "tests/support/fake_qmp.hpp"

using namespace forkfleet;
using namespace forkfleet::qemu;
using namespace forkfleet::test;
using namespace std::chrono_literals;

namespace {

deadline_point in(std::chrono::milliseconds time) {
  return std::chrono::steady_clock::now() + time;
}

std::unique_ptr<qmp_client> connect(const fake_qmp& server) {
  auto client = qmp_client::connect(server.path(), in(20s));
  if (!client)
    FAIL(to_string(client.error()));
  return std::move(*client);
}

constexpr const char* stop_event =
  R"({"timestamp":{"seconds":5,"microseconds":7},"event":"STOP"})"
  "\r\n";

} // namespace

TEST_CASE("a command returns what QEMU returned, past events and late answers",
          "[node][qemu][qmp]") {
  const auto server = fake_qmp{{[](qmp_peer& peer) {
    peer.greet();
    peer.say(stop_event);
    peer.say("{\"return\":{\"status\":\"late\"},\"id\":77}\r\n");
    peer.answer(R"({"return":{"status":"running"},"id":ID})");
    peer.hear();
  }}};
  const auto client = connect(server);
  CHECK(client->version() == "7.2.22");
  const auto result = client->execute("query-status", in(20s));
  REQUIRE(result);
  CHECK(text_member(*result, "status") == "running");
  const auto event = client->wait_event("STOP", in(20s));
  REQUIRE(event);
  CHECK(event->at == 5s + 7us);
}

TEST_CASE("an error of QEMU is told in its words", "[node][qemu][qmp]") {
  const auto server = fake_qmp{{[](qmp_peer& peer) {
    peer.greet();
    peer.answer(
      R"({"error":{"class":"GenericError","desc":"no way"},"id":ID})");
    peer.answer(R"({"return":{},"id":ID})");
  }}};
  const auto client = connect(server);
  const auto result = client->execute("migrate", in(20s));
  REQUIRE_FALSE(result);
  CHECK(result.error().code == ec::vmm_refused);
  CHECK(result.error().message == server.path() + ": migrate: no way");
  CHECK(client->execute("cont", in(20s)));
}

TEST_CASE("an answer that comes too late is not taken for the next one's",
          "[node][qemu][qmp][safety]") {
  const auto server = fake_qmp{{[](qmp_peer& peer) {
    peer.greet();
    peer.hear();
    peer.hear();
    peer.say("{\"return\":{\"n\":1},\"id\":2}\r\n");
    peer.say("{\"return\":{\"n\":2},\"id\":3}\r\n");
    peer.hear();
  }}};
  const auto client = connect(server);
  const auto first = client->execute("first", in(30ms));
  REQUIRE_FALSE(first);
  CHECK(first.error().code == ec::deadline_exceeded);
  const auto second = client->execute("second", in(20s));
  REQUIRE(second);
  CHECK(number_member(*second, "n") == 2);
}

TEST_CASE("a socket that another client holds is told by its missing greeting",
          "[node][qemu][qmp]") {
  scratch_directory home;
  const auto path = home.path() + "/qmp.sock";
  const auto listener = listen_unix(path, SOCK_STREAM);
  REQUIRE(listener);
  const auto client = qmp_client::connect(path, in(50ms));
  REQUIRE_FALSE(client);
  CHECK(client.error().code == ec::vmm_unreachable);
  CHECK(client.error().message.find("another client") != std::string::npos);
  CHECK(client.error().message.starts_with(path));
}

TEST_CASE("what is not QMP breaks the connection and is named",
          "[node][qemu][qmp]") {
  const auto garbage = GENERATE("SSH-2.0-OpenSSH\r\n", "{\"QMP\": 1", "[1,2]\n",
                                "{\"a\":1,\"a\":2}\n");
  const auto server =
    fake_qmp{{[garbage](qmp_peer& peer) { peer.say(garbage); }}};
  const auto client = qmp_client::connect(server.path(), in(20s));
  REQUIRE_FALSE(client);
  CHECK(client.error().code == ec::vmm_unreachable);
}

TEST_CASE("a line without an end is not kept for ever", "[node][qemu][qmp]") {
  const auto server = fake_qmp{{[](qmp_peer& peer) {
    peer.greet();
    const auto piece = std::string(1 << 20, 'x');
    for (std::size_t i = 0; i <= qmp_line_bytes_max / piece.size(); ++i)
      peer.say(piece);
    peer.hear();
  }}};
  const auto client = connect(server);
  const auto result = client->execute("query-status", in(20s));
  REQUIRE_FALSE(result);
  CHECK(result.error().message.find("a line of more than")
        != std::string::npos);
}

TEST_CASE("a lost connection can be made again", "[node][qemu][qmp]") {
  const auto server = fake_qmp{{[](qmp_peer& peer) { peer.greet(); },
                                [](qmp_peer& peer) {
                                  peer.greet();
                                  peer.answer(R"({"return":{},"id":ID})");
                                }}};
  const auto client = connect(server);
  const auto lost = client->execute("cont", in(20s));
  REQUIRE_FALSE(lost);
  CHECK(lost.error().code == ec::vmm_unreachable);
  CHECK_FALSE(client->is_connected());
  REQUIRE(client->ensure_connected(in(20s)));
  CHECK(client->execute("cont", in(20s)));
}

TEST_CASE("events are kept up to a limit and waited for by name",
          "[node][qemu][qmp]") {
  const auto server = fake_qmp{{[](qmp_peer& peer) {
    peer.greet();
    for (std::size_t i = 0; i < qmp_events_max + 10; ++i)
      peer.say("{\"event\":\"E" + std::to_string(i) + "\"}\r\n");
    peer.answer(R"({"return":{},"id":ID})");
    peer.hear();
  }}};
  const auto client = connect(server);
  REQUIRE(client->execute("cont", in(20s)));
  CHECK_FALSE(client->wait_event("E9", in(0ms)));
  CHECK(client->wait_event("E12", in(0ms)));
  CHECK(client->wait_event("E10", in(0ms)));
  const auto absent = client->wait_event("STOP", in(20ms));
  REQUIRE_FALSE(absent);
  CHECK(absent.error().code == ec::deadline_exceeded);
}

TEST_CASE("paths longer than a socket's address are reached",
          "[node][qemu][qmp]") {
  scratch_directory home;
  const auto folder = home.path() + "/" + std::string(150, 'd');
  REQUIRE(::mkdir(folder.c_str(), 0700) == 0);
  const auto listener = listen_unix(folder + "/s", SOCK_SEQPACKET);
  REQUIRE(listener);
  CHECK(connect_unix(folder + "/s", SOCK_SEQPACKET, in(20s)));
  const auto nobody = connect_unix(folder + "/t", SOCK_SEQPACKET, in(20s));
  REQUIRE_FALSE(nobody);
  CHECK(nobody.error().message.starts_with(folder));
}

TEST_CASE("a descriptor travels beside a message", "[node][qemu][qmp]") {
  int ends[2] = {};
  REQUIRE(::socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) == 0);
  const auto left = unique_fd{ends[0]};
  const auto right = unique_fd{ends[1]};
  const auto file = unique_fd{::open("/dev/null", O_RDONLY | O_CLOEXEC)};
  REQUIRE(send_text(left.get(), "take this", file.get(), in(20s)));
  char room[64] = {};
  const auto got = receive(right.get(), room, in(20s));
  REQUIRE(got);
  CHECK(got->bytes == 9);
  CHECK(got->passed);
}
