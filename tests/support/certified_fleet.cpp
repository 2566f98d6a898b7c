// SPDX-License-Identifier: Apache-2.0
#include "tests/support/certified_fleet.hpp"

#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <unistd.h>

#include <catch2/catch.hpp>

namespace forkfleet::test {

using namespace std::chrono_literals;

certified_fleet::certified_fleet() {
  write({});
  start_coordinator();
  node.emplace_back(
    std::vector<std::string>{program_path("forkfleet-node"), "--fleet", file(),
                             "--host", "h1", "--leash",
                             std::to_string(::getpid()), "--stop-sandboxes"},
    scratch.path() + "/node.log");
  admin.emplace(reach(ours.client("root", access_role::admin)));
  REQUIRE(eventually([&] {
    const auto boxes = admin->ask<sandbox_list>(sandboxes_request{}, 5s);
    return boxes && boxes->sandboxes.size() == 1
           && boxes->sandboxes.front().state == sandbox_state::running;
  }));
}

certified_fleet::~certified_fleet() {
  if (!node.empty())
    node.front().end(SIGTERM);
}

void certified_fleet::start_coordinator() {
  coordinator.emplace_back(
    std::vector<std::string>{program_path("forkfleet-coordinator"), "--fleet",
                             file()},
    scratch.path() + "/coordinator.log");
}

void certified_fleet::restart_coordinator() {
  coordinator.front().end(SIGKILL);
  coordinator.clear();
  start_coordinator();
}

void certified_fleet::write(const std::string& denied) const {
  const auto tls = [](const tls_material& x) {
    return "{authority: " + x.authority + ", certificate: " + x.certificate
           + ", key: " + x.key + "}";
  };
  auto out = std::ofstream{file() + ".new"};
  out << "version: 1\nname: test\nstate: " << scratch.path()
      << "/state\ncoordinator:\n  listen: " << address()
      << "\n  heartbeat: 200ms\n  node_timeout: 2s\n  tls: " << tls(served)
      << "\nclient_tls: " << tls(owner) << "\naccess:\n  denied: [" << denied
      << "]\nhosts:\n  - name: h1\n    tls: " << tls(of_node)
      << "\nsandboxes:\n"
      << simulated_sandbox("a", "h1");
  out.close();
  std::filesystem::rename(file() + ".new", file());
}

client_settings certified_fleet::reach(const tls_material& tls) const {
  return {.coordinator = {"127.0.0.1", port, {}}, .tls = tls, .connect = 10s};
}

std::string certified_fleet::log() const {
  return content_of(scratch.path() + "/coordinator.log");
}

std::string certified_fleet::audit() const {
  return content_of(scratch.path() + "/state/coordinator/audit.jsonl");
}

std::string content_of(const std::string& path) {
  auto in = std::ifstream{path, std::ios::binary};
  return {std::istreambuf_iterator<char>{in}, {}};
}

} // namespace forkfleet::test
