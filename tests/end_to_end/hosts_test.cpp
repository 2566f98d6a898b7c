// SPDX-License-Identifier: Apache-2.0
// A fleet over a network: namespaces as hosts, certificates by the fleet's
// own authority, links that are cut.
#include <csignal>
#include <fstream>
#include <iterator>
#include <sys/wait.h>

#include <catch2/catch.hpp>

#include "actors/schema/json_text.hpp"
#include "tests/support/fleet_fixture.hpp"
#include "tests/support/netns_hosts.hpp"
#include "tests/support/skip.hpp"

using namespace forkfleet;
using namespace forkfleet::test;
using namespace std::chrono_literals;

namespace {

/// Coordinator and client on host 0, the nodes h1 and h2 on hosts 1 and 2.
class networked_fleet {
public:
  explicit networked_fleet(netns_hosts& hosts) : hosts_{hosts} {
    issue();
    write_fleet_file();
    runs_.push_back(
      start(0, {"forkfleet-coordinator", "--fleet", file()}, "coordinator"));
    for (const auto* name : {"h1", "h2"})
      runs_.push_back(
        start(name[1] - '0',
              {"forkfleet-node", "--fleet", file(), "--host", name}, name));
  }
  ~networked_fleet() {
    for (auto& run : runs_)
      if (run.is_running())
        run.end(SIGTERM);
  }
  networked_fleet(const networked_fleet&) = delete;
  networked_fleet& operator=(const networked_fleet&) = delete;

  /// Runs the tool as a person would; its exit code and output.
  std::pair<int, std::string> tool(std::vector<std::string> words) {
    const auto out = scratch_.path() + "/tool.out";
    std::ofstream{out}.close();
    words.insert(words.begin(), {"forkfleet", "--fleet", file()});
    auto run = start(0, words, "tool.out");
    const int status = run.wait(60s);
    auto in = std::ifstream{out};
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1,
            {std::istreambuf_iterator<char>{in}, {}}};
  }

  /// The state of one node as the coordinator tells it.
  std::string state_of(const std::string& host) {
    const auto [code, text] = tool({"nodes", "-o", "json"});
    const auto parsed = schema::parse_json(text);
    if (code != 0 || !parsed)
      return "?";
    const auto& list = parsed->is_object() ? parsed->at("nodes") : *parsed;
    for (const auto& node : list)
      if (node.at("host") == host)
        return node.at("state");
    return "not listed";
  }

  bool comes_to(const std::string& host, const std::string& state) {
    return eventually([&] { return state_of(host) == state; });
  }

  std::string file() const { return scratch_.path() + "/fleet.yaml"; }
  std::string log(const std::string& name) const {
    auto in = std::ifstream{scratch_.path() + "/" + name};
    return {std::istreambuf_iterator<char>{in}, {}};
  }
  program_run start(int host, std::vector<std::string> words,
                    const std::string& log) {
    auto all = hosts_.on(host);
    words.front() = program_path(words.front());
    all.insert(all.end(), words.begin(), words.end());
    return program_run{all, scratch_.path() + "/" + log};
  }

private:
  void issue() {
    const auto pki = scratch_.path() + "/pki";
    REQUIRE(start(0, {"forkfleet", "pki", "init", pki}, "pki.log").wait(30s)
            == 0);
    const auto issue_one = [&](std::vector<std::string> words) {
      words.insert(words.begin(), {"forkfleet", "pki", "issue"});
      words.insert(words.end(), {"--authority", pki});
      const int status = start(0, words, "pki.log").wait(30s);
      INFO(log("pki.log"));
      REQUIRE(status == 0);
    };
    issue_one({"coordinator", "--address", hosts_.address(0)});
    for (const auto* name : {"h1", "h2"})
      issue_one({"node", name});
    issue_one({"client", "ann", "--role", "admin"});
  }

  std::string tls(const std::string& name) const {
    const auto pki = scratch_.path() + "/pki";
    return "{authority: " + pki + "/ca.crt, certificate: " + pki + "/issued/"
           + name + ".crt, key: " + pki + "/issued/" + name + ".key}";
  }

  void write_fleet_file() {
    auto out = std::ofstream{file()};
    out << "version: 1\nname: net\nstate: state\ncoordinator:\n  listen: "
        << hosts_.address(0) << ":7711\n  heartbeat: 200ms\n"
        << "  node_timeout: 2s\n  tls: " << tls("coordinator")
        << "\nclient_tls: " << tls("client-ann") << "\nhosts:\n";
    for (int host : {1, 2})
      out << "  - name: h" << host << "\n    address: " << hosts_.address(host)
          << "\n    tls: " << tls("node-h" + std::to_string(host)) << "\n";
    out << "sandboxes:\n"
        << simulated_sandbox("a", "h1") << simulated_sandbox("b", "h2");
  }

  netns_hosts& hosts_;
  scratch_directory scratch_ = {};
  std::vector<program_run> runs_ = {};
};

} // namespace

TEST_CASE("a fleet spans hosts, and a host that was cut off comes back",
          "[end_to_end][netns][safety]") {
  auto hosts = netns_hosts::make(3);
  if (!hosts)
    return skip(to_string(hosts.error()));
  auto fleet = networked_fleet{**hosts};
  INFO(fleet.log("coordinator") << fleet.log("h1"));
  REQUIRE(fleet.comes_to("h1", "up"));
  REQUIRE(fleet.comes_to("h2", "up"));
  const auto [code, text] = fleet.tool({"branch", "b", "--tag", "t1"});
  INFO(text);
  CHECK(code == 0);
  (*hosts)->cut(2);
  CHECK(fleet.comes_to("h2", "down"));
  CHECK(fleet.tool({"branch", "a", "--tag", "t2"}).first == 0);
  CHECK(fleet.tool({"branch", "b", "--tag", "t3", "--deadline", "3s"}).first
        == 7);
  (*hosts)->heal(2);
  CHECK(fleet.comes_to("h2", "up"));
  CHECK(fleet.tool({"branch", "b", "--tag", "t3"}).first == 0);
}

TEST_CASE("a node's certificate speaks for its own host alone",
          "[end_to_end][netns][safety]") {
  auto hosts = netns_hosts::make(3);
  if (!hosts)
    return skip(to_string(hosts.error()));
  auto fleet = networked_fleet{**hosts};
  REQUIRE(fleet.comes_to("h1", "up"));
  // Another machine with h2's certificate that claims to be h1.
  auto text = std::string{};
  {
    auto in = std::ifstream{fleet.file()};
    text = {std::istreambuf_iterator<char>{in}, {}};
  }
  const auto forged = fleet.file() + ".forged.yaml";
  const auto own = std::string{"node-h1."};
  for (auto at = text.find(own); at != std::string::npos; at = text.find(own))
    text.replace(at, own.size(), "node-h2.");
  text.replace(text.find("state: state"), 12, "state: forged");
  std::ofstream{forged} << text;
  auto thief = fleet.start(
    2, {"forkfleet-node", "--fleet", forged, "--host", "h1"}, "thief");
  CHECK(eventually([&] {
    const auto told = fleet.log("coordinator");
    return told.find("foreign_host") != std::string::npos
           && told.find("node:h2") != std::string::npos;
  }));
  CHECK(eventually([&] {
    const auto told = fleet.log("thief");
    return told.find("not_permitted") != std::string::npos
           && told.find("speaks for its own host alone") != std::string::npos;
  }));
  CHECK(fleet.state_of("h1") == "up");
}
