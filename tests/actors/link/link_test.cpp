// SPDX-License-Identifier: Apache-2.0
#include "actors/link/link.hpp"

#include <thread>

#include <caf/scoped_actor.hpp>
#include <catch2/catch.hpp>

#include "tests/support/child_program.hpp"
#include "tests/support/link_fixture.hpp"
#include "tests/support/raw_port.hpp"

using namespace forkfleet;
using namespace std::chrono_literals;

namespace {

struct link_fixture {
  test::program coordinator;
  uint16_t port = coordinator.serve();
  link_endpoint where{"127.0.0.1", port};

  expected<branch_report> branch(const std::string& sandbox,
                                 milliseconds limit = 10s) {
    auto tool = test::make_client(port);
    return tool.ask<branch_report>(
      branch_request{.operation = {"op-1"}, .sandbox = {sandbox}}, limit);
  }
};

/// A coordinator in a process of its own, to be killed.
struct killable {
  explicit killable(uint16_t port)
    : process("fake_coordinator", {std::to_string(port)}),
      listens_on(static_cast<uint16_t>(std::stoi(process.read_line()))),
      node(process.read_line()) {}

  test::child_program process;
  uint16_t listens_on;
  std::string node;
};

} // namespace

TEST_CASE_METHOD(link_fixture, "a question crosses the link and is answered",
                 "[actors][link]") {
  const auto report = branch("web");
  REQUIRE(report);
  CHECK(report->operation.value == "op-1");
  CHECK(report->stages.front().elapsed == 7us);
}

TEST_CASE_METHOD(link_fixture, "a refusal crosses the link with its subject",
                 "[actors][link]") {
  const auto report = branch("missing");
  REQUIRE_FALSE(report);
  CHECK(report.error() == failure{ec::unknown_sandbox, "missing"});
}

TEST_CASE_METHOD(link_fixture, "a question that nobody answers ends in time",
                 "[actors][client]") {
  const auto report = branch("silent", 100ms);
  REQUIRE_FALSE(report);
  CHECK(report.error().code == ec::deadline_exceeded);
}

TEST_CASE_METHOD(link_fixture, "a coordinator reaches the node that joined",
                 "[actors][link]") {
  test::program node;
  const auto welcome = node.join(where, {}, "h1");
  REQUIRE(welcome);
  CHECK(welcome->epoch == 3);
  const auto report = branch("on-h1");
  REQUIRE(report);
  CHECK(report->host.value == "h1");
}

TEST_CASE_METHOD(link_fixture, "a node may join again and again",
                 "[actors][link]") {
  test::program node;
  for (auto i = 0; i < 10; ++i)
    REQUIRE(node.join(where, {}, "h1"));
  CHECK(branch("on-h1"));
}

TEST_CASE_METHOD(link_fixture, "many nodes and tools share one port",
                 "[actors][link]") {
  auto nodes = std::vector<std::unique_ptr<test::program>>{};
  for (auto i = 0; i < 8; ++i) {
    nodes.push_back(std::make_unique<test::program>());
    REQUIRE(nodes.back()->join(where, {}, "h" + std::to_string(i)));
  }
  for (auto i = 0; i < 8; ++i)
    CHECK(branch("on-h" + std::to_string(i)));
}

TEST_CASE("a coordinator that dies ends the question that waits for it",
          "[actors][client][safety]") {
  auto coordinator = killable{0};
  auto tool = test::make_client(coordinator.listens_on);
  REQUIRE(tool.connect());
  auto killer = std::thread{[&] { coordinator.process.kill(); }};
  const auto report =
    tool.ask<branch_report>(branch_request{.sandbox = {"silent"}}, 60s);
  killer.join();
  REQUIRE_FALSE(report);
  CHECK(report.error().code == ec::node_down);
}

TEST_CASE("a tool and a node find a coordinator that came back",
          "[actors][link][safety]") {
  auto first = std::make_unique<killable>(uint16_t{0});
  const auto port = first->listens_on;
  auto tool = test::make_client(port, {}, 10s);
  test::program node;
  REQUIRE(tool.ask<node_list>(nodes_request{}, 5s));
  REQUIRE(node.join({"127.0.0.1", port}, {}, "h1"));
  first.reset();
  CHECK_FALSE(node.join({"127.0.0.1", port}, {}, "h1"));
  const auto second = killable{port};
  CHECK(node.join({"127.0.0.1", port}, {}, "h1"));
  CHECK(test::eventually(
    [&] { return tool.ask<node_list>(nodes_request{}, 5s).has_value(); }));
  CHECK(tool.ask<branch_report>(branch_request{.sandbox = {"on-h1"}}, 5s));
}

TEST_CASE("where nobody listens there is no coordinator", "[actors][link]") {
  test::program node;
  const auto port = test::raw_port{}.number();
  const auto found = node.connect({"127.0.0.1", port});
  REQUIRE_FALSE(found);
  CHECK(found.error().code == ec::node_down);
  CHECK(found.error().message.find(std::to_string(port)) != std::string::npos);
}

TEST_CASE("a port that accepts and stays silent is given up",
          "[actors][link][safety]") {
  test::program node{{.handshake = 200ms}};
  const auto silent = test::raw_port{};
  const auto found = node.connect({"127.0.0.1", silent.number()});
  REQUIRE_FALSE(found);
  CHECK(found.error().code == ec::deadline_exceeded);
}

TEST_CASE("a port that speaks another protocol is refused",
          "[actors][link][safety]") {
  test::program node;
  auto other = test::raw_port{"SSH-2.0-OpenSSH_9.2p1 and so on, and so on\r\n"};
  const auto found = node.connect({"127.0.0.1", other.number()});
  REQUIRE_FALSE(found);
  CHECK(found.error().code == ec::not_permitted);
}

TEST_CASE_METHOD(link_fixture, "a port that is taken is named",
                 "[actors][link]") {
  test::program other;
  auto coordinator_actor_of = other.make_coordinator();
  const auto again = other.link().listen(where, {}, coordinator_actor_of);
  REQUIRE_FALSE(again);
  CHECK(again.error().code == ec::io_failed);
  CHECK(again.error().message.find(to_string(where)) != std::string::npos);
}

TEST_CASE_METHOD(link_fixture, "beyond loopback nothing is plain",
                 "[actors][link][safety]") {
  test::program other;
  const auto open =
    other.link().listen({"0.0.0.0", 0}, {}, other.make_coordinator());
  REQUIRE_FALSE(open);
  CHECK(open.error().code == ec::invalid_request);
  CHECK(open.error().message.find("forkfleet pki") != std::string::npos);
  const auto far = other.connect({"192.0.2.1", 7000});
  REQUIRE_FALSE(far);
  CHECK(far.error().code == ec::invalid_request);
}

TEST_CASE_METHOD(link_fixture, "without TLS a node may be any host of ours",
                 "[actors][link]") {
  test::program node;
  REQUIRE(node.join(where, {}, "h1"));
  const auto handle = node.make_node("h1");
  CHECK(coordinator.link().identity_behind(handle) == "loopback");
  CHECK(coordinator.link().check_peer()(handle, {"h7"}));
}

TEST_CASE_METHOD(link_fixture, "who has no connection speaks for nobody",
                 "[actors][link][safety]") {
  test::program stranger;
  const auto handle = stranger.make_node("h1");
  const auto check = coordinator.link().check_peer();
  CHECK(check(handle, {"h1"}).error().code == ec::not_permitted);
  coordinator.link().shut_down();
  CHECK_FALSE(check(handle, {"h1"}));
}

TEST_CASE("a link that ends answers those who still dial", "[actors][link]") {
  const auto is_connected = GENERATE(false, true);
  test::program node;
  const auto silent = test::raw_port{};
  const auto dialler =
    node.link().connector({"127.0.0.1", silent.number()}, {});
  auto self = caf::scoped_actor{node.system()};
  auto dial = self->request(dialler, 20s, connect_request{});
  if (is_connected) {
    REQUIRE(silent.wait_for_guest(10s));
    // Long enough that CAF has begun its handshake.
    std::this_thread::sleep_for(50ms);
  }
  node.link().shut_down();
  auto end = failure{};
  dial.receive([](const coordinator_actor&) {},
               [&end](const caf::error& x) { end = from_caf_error(x); });
  CHECK(end.code == ec::shutting_down);
}

TEST_CASE_METHOD(link_fixture, "a link that has ended dials no more",
                 "[actors][link]") {
  test::program node;
  node.link().shut_down();
  CHECK_FALSE(node.connect(where));
}

TEST_CASE_METHOD(link_fixture, "a message near the limit passes",
                 "[actors][link]") {
  auto tool = test::make_client(port);
  const auto tag = std::string(200 * 1024, 'x');
  const auto report =
    tool.ask<branch_report>(branch_request{.tag = {tag}}, 10s);
  REQUIRE(report);
  CHECK(report->tag.value == tag);
}

TEST_CASE_METHOD(link_fixture,
                 "a request beyond the limit is refused before it is sent",
                 "[actors][link][safety]") {
  auto tool = test::make_client(port);
  REQUIRE(tool.ask<node_list>(nodes_request{}, 10s));
  const auto tag = std::string(300 * 1024, 'x');
  const auto report =
    tool.ask<branch_report>(branch_request{.tag = {tag}}, 10s);
  REQUIRE_FALSE(report);
  CHECK(report.error().code == ec::invalid_request);
  CHECK(report.error().message.find("262144") != std::string::npos);
  CHECK(tool.ask<node_list>(nodes_request{}, 10s));
  CHECK(coordinator.link().counters().frames_refused == 0);
  CHECK(coordinator.link().counters().accepted == 1);
}

TEST_CASE_METHOD(link_fixture,
                 "an answer beyond the limit is an error to who asked",
                 "[actors][link][safety]") {
  auto tool = test::make_client(port);
  const auto report =
    tool.ask<branch_report>(branch_request{.sandbox = {"big"}}, 10s);
  REQUIRE_FALSE(report);
  CHECK(report.error().code == ec::interrupted);
  CHECK(report.error().message.find("its answer takes") != std::string::npos);
  CHECK(tool.ask<node_list>(nodes_request{}, 10s));
  CHECK(coordinator.link().counters().too_big == 1);
  CHECK(coordinator.link().counters().accepted == 1);
}

TEST_CASE_METHOD(link_fixture, "a node's answer beyond the limit ends nothing",
                 "[actors][link][safety]") {
  test::program node;
  REQUIRE(node.join(where, {}, "h1"));
  auto tool = test::make_client(port);
  const auto big = tool.ask<branch_report>(
    branch_request{.sandbox = {"on-h1"}, .labels = {"big"}}, 10s);
  REQUIRE_FALSE(big);
  CHECK(big.error().code == ec::interrupted);
  CHECK(node.link().counters().too_big == 1);
  CHECK(tool.ask<branch_report>(branch_request{.sandbox = {"on-h1"}}, 10s));
}
