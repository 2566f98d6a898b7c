// SPDX-License-Identifier: Apache-2.0
// What a QEMU that a guest has taken over may do to who talks to it.
#include <sys/resource.h>

#include <catch2/catch.hpp>

#include "node/qemu/qmp_client.hpp"
#include "tests/support/fake_qmp.hpp"

using namespace forkfleet;
using namespace forkfleet::qemu;
using namespace forkfleet::test;
using namespace std::chrono_literals;

namespace {

deadline_point in(std::chrono::milliseconds time) {
  return std::chrono::steady_clock::now() + time;
}

std::string many(const std::string& x, std::size_t bytes) {
  auto text = std::string{};
  while (text.size() < bytes)
    text += x;
  return text;
}

long peak_kib() {
  auto usage = rusage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

} // namespace

TEST_CASE("QEMU's words are short and harmless", "[node][qemu][qmp][safety]") {
  const auto server = fake_qmp{{[](qmp_peer& peer) {
    peer.greet();
    peer.answer("{\"error\":{\"desc\":\"\\u001b]0;owned\\u0007"
                + many("long ", 100'000) + "\"},\"id\":ID}");
    peer.hear();
  }}};
  const auto client = qmp_client::connect(server.path(), in(20s));
  REQUIRE(client);
  const auto result = (*client)->execute("migrate", in(20s));
  REQUIRE_FALSE(result);
  CHECK(result.error().code == ec::vmm_refused);
  CHECK(result.error().message.size() < 1000);
  CHECK(result.error().message.find('\x1b') == std::string::npos);
}

TEST_CASE("a line of QEMU of any size and shape costs little",
          "[node][qemu][qmp][safety]") {
  const auto text =
    GENERATE(many("[", 2u << 20), many("{\"event\":", 900'000),
             "{\"return\":[" + many("{},", 900'000) + "{}],\"id\":2}",
             many("x", 8u << 20));
  const auto server = fake_qmp{{[&text](qmp_peer& peer) {
    peer.greet();
    peer.hear();
    peer.say(text + "\r\n");
    peer.hear();
  }}};
  const auto client = qmp_client::connect(server.path(), in(20s));
  REQUIRE(client);
  const auto before = peak_kib();
  const auto result = (*client)->execute("query-status", in(20s));
  REQUIRE_FALSE(result);
  CHECK(result.error().code == ec::vmm_unreachable);
  CHECK_FALSE((*client)->is_connected());
  CHECK(peak_kib() - before < 48 * 1024);
}

TEST_CASE("events of any size are kept by their names",
          "[node][qemu][qmp][safety]") {
  const auto server = fake_qmp{{[](qmp_peer& peer) {
    peer.greet();
    peer.hear();
    for (int i = 0; i < 20; ++i)
      peer.say("{\"event\":\"NOISE\",\"data\":{\"x\":\"" + many("x", 500'000)
               + "\"}}\r\n");
    peer.say("{\"event\":\"STOP\",\"data\":{\"why\":\"short\"}}\r\n");
    peer.say("{\"return\":{},\"id\":2}\r\n");
    peer.hear();
  }}};
  const auto client = qmp_client::connect(server.path(), in(20s));
  REQUIRE(client);
  REQUIRE((*client)->execute("query-status", in(20s)));
  const auto noise = (*client)->wait_event("NOISE", in(20s));
  REQUIRE(noise);
  CHECK(noise->data.is_null());
  const auto stop = (*client)->wait_event("STOP", in(20s));
  REQUIRE(stop);
  CHECK(text_member(stop->data, "why") == "short");
}

TEST_CASE("a QEMU that talks all the time keeps nobody longer",
          "[node][qemu][qmp][safety]") {
  const bool for_event = GENERATE(true, false);
  const auto server = fake_qmp{{[](qmp_peer& peer) {
    peer.greet();
    const auto noise = many("{\"event\":\"NOISE\"}\r\n", 16'384);
    // More than can be read in the time that there is.
    for (int i = 0; i < 20'000; ++i)
      peer.say(noise);
  }}};
  auto client = qmp_client::connect(server.path(), in(20s));
  REQUIRE(client);
  if (for_event) {
    const auto event = (*client)->wait_event("STOP", in(300ms));
    REQUIRE_FALSE(event);
    CHECK(event.error().code == ec::deadline_exceeded);
  } else {
    const auto answer = (*client)->execute("query-status", in(300ms));
    REQUIRE_FALSE(answer);
    CHECK(answer.error().code == ec::deadline_exceeded);
  }
  client->reset();
}
