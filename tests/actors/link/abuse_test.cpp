// SPDX-License-Identifier: Apache-2.0
#include "tests/support/abuse.hpp"

#include <catch2/catch.hpp>

#include "tests/support/frames.hpp"
#include "tests/support/link_fixture.hpp"

using namespace forkfleet;
using namespace std::chrono_literals;

namespace {

/// Short, so that what waits for a limit does not wait long.
const auto impatient =
  link_limits{.handshake = 300ms, .idle = 2000ms, .frame = 300ms};

#ifdef __SANITIZE_ADDRESS__
// AddressSanitizer keeps what was freed, up to 256 MiB of it.
constexpr std::size_t growth_max = 512 * 1024 * 1024;
#else
constexpr std::size_t growth_max = 64 * 1024 * 1024;
#endif

struct port_fixture {
  test::program coordinator{impatient};
  uint16_t port = coordinator.serve();

  bool serves() {
    auto tool = test::make_client(port);
    const auto answer = tool.ask<node_list>(nodes_request{}, 10s);
    return answer && answer->nodes.size() == 1;
  }
  test::raw_peer peer() { return {"127.0.0.1", port}; }
};

/// Sends byte after byte, and less than all; whether it was cut off.
bool trickles_in_vain(test::raw_peer& peer, const std::string& bytes) {
  for (auto i = std::size_t{0}; i + 1 < bytes.size(); ++i) {
    if (!peer.send(bytes.substr(i, 1)))
      return true;
    if (peer.is_closed_within(50ms))
      return true;
  }
  return false;
}

} // namespace

TEST_CASE_METHOD(port_fixture,
                 "whatever comes, the port refuses it, stays small and serves",
                 "[actors][link][safety]") {
  REQUIRE(serves());
  const auto before = test::resident_bytes();
  auto plan = test::abuse_plan{.port = port};
  plan.seed = GENERATE(1U, 2U, 3U);
  const auto report = test::abuse(plan);
  for (const auto& name : report.survived)
    UNSCOPED_INFO(name);
  CHECK(report.survived.empty());
  CHECK(report.attacks > 25);
  CHECK(report.fuzz_frames > 1000);
  CHECK(report.still_answers);
  CHECK(test::resident_bytes() < before + growth_max);
  CHECK(serves());
}

TEST_CASE("who trickles a handshake is cut off", "[actors][link][safety]") {
  test::program coordinator{{.handshake = 300ms, .frame = 10min}};
  auto slow = test::raw_peer{"127.0.0.1", coordinator.serve()};
  CHECK(trickles_in_vain(slow,
                         test::client_handshake(test::node_bytes(3)).bytes()));
  CHECK(coordinator.link().counters().timed_out == 1);
}

TEST_CASE("who trickles a frame is cut off", "[actors][link][safety]") {
  test::program coordinator{{.frame = 300ms}};
  auto slow = test::raw_peer{"127.0.0.1", coordinator.serve()};
  REQUIRE(slow.greet(test::node_bytes(3)));
  const auto tag = test::packed_text(std::string(200000, 'x'));
  CHECK(trickles_in_vain(
    slow, test::direct("+forkfleet::operation_query", tag).bytes()));
  CHECK(coordinator.link().counters().timed_out == 1);
}

TEST_CASE_METHOD(port_fixture, "who falls silent is cut off",
                 "[actors][link][safety]") {
  auto silent = peer();
  REQUIRE(silent.greet(test::node_bytes(3)));
  CHECK(silent.is_closed_within(15s));
}

TEST_CASE("connections beyond the cap are closed, those within it live on",
          "[actors][link][safety]") {
  auto limits = link_limits{};
  limits.connections_max = 4;
  limits.nodes_reserved = 0;
  auto coordinator = test::program{limits};
  const auto port = coordinator.serve();
  auto within = std::vector<test::raw_peer>{};
  for (auto i = 0U; i < 4; ++i) {
    within.emplace_back("127.0.0.1", port);
    REQUIRE(within.back().greet(test::node_bytes(10 + i)));
  }
  auto beyond = test::raw_peer{"127.0.0.1", port};
  CHECK_FALSE(beyond.greet(test::node_bytes(9)));
  CHECK(beyond.is_closed_within(10s));
  CHECK(coordinator.link().counters().over_cap == 1);
  CHECK(within.front().send(test::frame{}.bytes()));
  CHECK(
    test::eventually([&] { return coordinator.link().counters().open == 4; }));
}

TEST_CASE("who does not say who it is makes room for who does",
          "[actors][link][safety]") {
  auto coordinator = test::program{{.waiting_max = 16}};
  const auto port = coordinator.serve();
  auto idle = std::vector<test::raw_peer>{};
  for (auto i = 0; i < 60; ++i)
    idle.emplace_back("127.0.0.1", port);
  auto sound = test::raw_peer{"127.0.0.1", port};
  CHECK(sound.greet(test::node_bytes(3)));
  CHECK(idle.front().is_closed_within(2s));
  CHECK(coordinator.link().counters().over_cap >= 44);
}

TEST_CASE("who reads no answers is held back, and others are not",
          "[actors][link][safety]") {
  test::program coordinator;
  const auto port = coordinator.serve();
  const auto before = test::resident_bytes();
  auto greedy = test::raw_peer{"127.0.0.1", port};
  REQUIRE(greedy.greet(test::node_bytes(3)));
  auto x = test::sound_request();
  x.target = greedy.served_actor();
  auto sent = 0;
  while (sent < 118'000 && greedy.send(x.bytes())) {
    ++x.data;
    ++sent;
  }
  CHECK(sent > 64);
  CHECK(coordinator.link().counters().requests_refused > 0);
  auto tool = test::make_client(port);
  CHECK(tool.ask<node_list>(nodes_request{}, 10s));
  CHECK(test::resident_bytes() < before + growth_max);
}

TEST_CASE_METHOD(port_fixture, "a full port has room again when peers leave",
                 "[actors][link]") {
  for (auto i = 0U; i < 20; ++i) {
    auto brief = peer();
    REQUIRE(brief.greet(test::node_bytes(20 + i)));
  }
  CHECK(
    test::eventually([&] { return coordinator.link().counters().open == 0; }));
  CHECK(serves());
}
