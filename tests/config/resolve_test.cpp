// SPDX-License-Identifier: Apache-2.0
#include "config/resolve.hpp"

#include <unistd.h>

#include <catch2/catch.hpp>

using namespace forkfleet;
using namespace forkfleet::config;

namespace {

fleet_file resolved(fleet_file fleet, const environment& env,
                    std::size_t problems_wanted = 0) {
  problem_list problems{"f"};
  resolve(fleet, "/etc/fleet", env, {}, problems);
  CHECK(std::move(problems).sorted().size() == problems_wanted);
  return fleet;
}

std::optional<std::string> no_variables(const std::string&) {
  return std::nullopt;
}

fleet_file two_hosts() {
  fleet_file fleet;
  fleet.state = "state";
  fleet.hosts = {{.name = {"a"}}, {.name = {"b"}, .data = "../b/"}};
  return fleet;
}

} // namespace

TEST_CASE("relative paths start at the file's directory", "[config][resolve]") {
  auto fleet = two_hosts();
  fleet.client_tls = {"ca.pem", "/abs/c.pem", "./k//x.key"};
  fleet.sandboxes = {{.kernel = "vmlinuz", .disks = {{.path = "d.qcow2"}}}};
  fleet = resolved(fleet, no_variables);
  CHECK(fleet.state == "/etc/fleet/state");
  CHECK(fleet.client_tls.authority == "/etc/fleet/ca.pem");
  CHECK(fleet.client_tls.certificate == "/abs/c.pem");
  CHECK(fleet.client_tls.key == "/etc/fleet/k/x.key");
  CHECK(fleet.hosts[1].data == "/etc/b");
  CHECK(fleet.sandboxes[0].kernel == "/etc/fleet/vmlinuz");
  CHECK(fleet.sandboxes[0].initrd.empty());
  CHECK(fleet.sandboxes[0].disks[0].path == "/etc/fleet/d.qcow2");
}

TEST_CASE("data directories lie in the state by default", "[config][resolve]") {
  const auto fleet = resolved(two_hosts(), no_variables);
  CHECK(fleet.coordinator.data == "/etc/fleet/state/coordinator");
  CHECK(fleet.hosts[0].data == "/etc/fleet/state/a");
  CHECK(fleet.hosts[0].archives == "/etc/fleet/state/a/archives");
  CHECK(fleet.hosts[1].archives == "/etc/b/archives");
}

TEST_CASE("the state lies where the user's programs keep theirs",
          "[config][resolve]") {
  auto fleet = two_hosts();
  fleet.state.clear();
  fleet.name = "f";
  const auto state = [](const std::string& name) {
    return name == "HOME" ? std::optional<std::string>{"/home/u"}
                          : std::nullopt;
  };
  const bool is_root = ::geteuid() == 0;
  CHECK(
    resolved(fleet, state).state
    == (is_root ? "/var/lib/forkfleet/f" : "/home/u/.local/state/forkfleet/f"));
  resolved(fleet, no_variables, is_root ? 0 : 1);
}
