// SPDX-License-Identifier: Apache-2.0
// Real programs over mutual TLS, while the holder of a certificate of the
// same fleet attacks them: all is refused, and a client that has nothing to
// do with it is served as before.
#include <filesystem>
#include <fstream>
#include <sys/wait.h>

#include <catch2/catch.hpp>

#include "tests/support/fleet_fixture.hpp"
#include "tests/support/pki_fixture.hpp"

using namespace forkfleet;
using namespace forkfleet::test;
using namespace std::chrono_literals;

namespace {

std::string yaml_of(const tls_material& files) {
  return "{authority: " + files.authority
         + ", certificate: " + files.certificate + ", key: " + files.key + "}";
}

struct attacked_fleet : fleet_fixture {
  authority certificates;
  tls_material client_files = certificates.client("ann", access_role::operate);
  client tool;

  attacked_fleet()
    : fleet_fixture{{.hosts = {"h1", "h2"}}},
      tool{{.coordinator = {.host = "127.0.0.1", .port = port()},
            .tls = client_files,
            .connect = 20s}} {
    auto out = std::ofstream{file()};
    out << "version: 1\nname: test\nstate: state\ncoordinator:\n"
        << "  listen: 127.0.0.1:" << port()
        << "\n  heartbeat: 200ms\n  node_timeout: 2s\n  tls: "
        << yaml_of(certificates.coordinator())
        << "\nclient_tls: " << yaml_of(client_files) << "\nhosts:\n";
    for (const auto* host : {"h1", "h2"})
      out << "  - name: " << host << "\n    data: " << data_of(host)
          << "\n    tls: " << yaml_of(certificates.node(host)) << "\n";
    out << "sandboxes:\n" << simulated_sandbox("a", "h1");
    out.close();
    start_coordinator();
    start_node("h1");
    start_node("h2");
    REQUIRE(eventually([this] { return is_whole(); }));
  }

  /// Whether both nodes are up, with the incarnation that they began with.
  bool is_whole() {
    const auto nodes = tool.ask<node_list>(nodes_request{}, 5s);
    if (!nodes || nodes->nodes.size() != 2)
      return false;
    const auto boxes = tool.ask<sandbox_list>(sandboxes_request{}, 5s);
    return nodes->nodes[0].state == node_state::up
           && nodes->nodes[1].state == node_state::up && boxes
           && boxes->sandboxes.size() == 1
           && boxes->sandboxes[0].state == sandbox_state::running;
  }

  program_run attack(const std::string& how, const tls_material& as) {
    return {{program_path("peer_abuse"), std::to_string(port()), as.certificate,
             as.key, how},
            log_of("attack")};
  }

  /// Branches while the attack runs; how many, all of them well.
  int branches_during(program_run& run) {
    auto count = 0;
    do {
      const auto tag = "during-" + std::to_string(count);
      const auto report = tool.ask<branch_report>(
        branch_request{.operation = {tag}, .sandbox = {"a"}, .tag = {tag}},
        60s);
      INFO((report ? to_string(report->outcome) : to_string(report.error())));
      REQUIRE(report);
      REQUIRE_FALSE(report->outcome);
      ++count;
    } while (run.is_running() && count < 200);
    return count;
  }

  bool ended_well(program_run& run) {
    const int status = run.wait(120s);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
  }

  std::string log_text(const std::string& program) const {
    auto in = std::ifstream{log_of(program)};
    return {std::istreambuf_iterator<char>{in}, {}};
  }
  bool lost_a_node() const {
    const auto text = log_text("coordinator");
    return text.find("node.lost") != std::string::npos
           || text.find("node.left") != std::string::npos;
  }
};

constexpr uint64_t memory_max = 150u << 20;
constexpr std::size_t log_max = 200 * 1024;

} // namespace

TEST_CASE_METHOD(attacked_fleet, "nobody answers what another was asked",
                 "[end_to_end][attack][safety]") {
  const auto is_node = GENERATE(true, false);
  auto run =
    attack("spray", is_node ? certificates.node("h2")
                            : certificates.client("eve", access_role::operate));
  CHECK(branches_during(run) > 0);
  CHECK(ended_well(run));
  CHECK(is_whole());
  CHECK_FALSE(lost_a_node());
  const auto text = log_text("coordinator");
  CHECK(text.find(is_node ? "answer.refused" : "answer_of_tool")
        != std::string::npos);
  CHECK(text.size() < log_max);
}

TEST_CASE_METHOD(attacked_fleet, "a node's certificate speaks for its own host",
                 "[end_to_end][attack][safety]") {
  auto run = attack("foreign", certificates.node("h2"));
  CHECK(branches_during(run) > 0);
  CHECK(ended_well(run));
  CHECK(is_whole());
  CHECK(log_text("coordinator").find("foreign_host") != std::string::npos);
  const auto nodes = tool.ask<node_list>(nodes_request{}, 5s);
  REQUIRE(nodes);
  CHECK(nodes->nodes[0].incarnation < 1000);
}

TEST_CASE_METHOD(attacked_fleet, "who floods is held back, and nobody else is",
                 "[end_to_end][attack][safety]") {
  auto run = attack("flood", certificates.client("eve", access_role::operate));
  CHECK(branches_during(run) > 0);
  CHECK(ended_well(run));
  CHECK(memory_of_coordinator() < memory_max);
  CHECK(is_whole());
  CHECK_FALSE(lost_a_node());
  const auto text = log_text("coordinator");
  CHECK(text.find("request.refused") != std::string::npos);
  CHECK(text.size() < log_max);
}

TEST_CASE_METHOD(attacked_fleet, "one follower does not take all places",
                 "[end_to_end][attack][safety]") {
  auto run = attack("follow", certificates.client("eve", access_role::operate));
  CHECK(branches_during(run) > 0);
  const auto heard = tool.ask<event_list>(
    events_request{.after = 0, .wait = milliseconds{100}}, 10s);
  CHECK(heard);
  CHECK(ended_well(run));
}

TEST_CASE_METHOD(attacked_fleet, "idle connections keep nobody out",
                 "[end_to_end][attack][safety]") {
  auto run = attack("idle", certificates.client("eve", access_role::operate));
  REQUIRE(eventually(
    [this] { return log_text("attack").find("open") != std::string::npos; }));
  auto other = client{{.coordinator = {.host = "127.0.0.1", .port = port()},
                       .tls = certificates.client("bob", access_role::viewer),
                       .connect = 5s}};
  CHECK(other.ask<node_list>(nodes_request{}, 5s));
  kill_node("h2");
  start_node("h2");
  CHECK(eventually([this] { return is_whole(); }));
  CHECK(branches_during(run) > 0);
  CHECK(ended_well(run));
}
