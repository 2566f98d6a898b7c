// SPDX-License-Identifier: Apache-2.0
#include "tests/support/netns_hosts.hpp"

#include <tuple>
#include <unistd.h>

#include "tests/support/scratch.hpp"

namespace forkfleet::test {

netns_hosts::netns_hosts(int count)
  : count_{count}, prefix_{"ff" + std::to_string(::getpid() % 100000)} {}

expected<std::unique_ptr<netns_hosts>> netns_hosts::make(int count) {
  auto hosts = std::unique_ptr<netns_hosts>{new netns_hosts{count}};
  if (auto built = hosts->build(); !built)
    return fail(ec::not_permitted,
                "network namespaces cannot be made here: 'ip netns add' or "
                "'ip link add' failed");
  return hosts;
}

std::string netns_hosts::name(int host) const {
  return prefix_ + "h" + std::to_string(host);
}

std::string netns_hosts::link(int host) const {
  return prefix_ + "v" + std::to_string(host);
}

std::string netns_hosts::address(int host) const {
  return "10.231.77." + std::to_string(host + 1);
}

std::vector<std::string> netns_hosts::on(int host) const {
  return {"/usr/bin/env", "ip", "netns", "exec", name(host)};
}

/// The bridge lives in a namespace of its own, so the machine's own network
/// is not touched.
status netns_hosts::build() {
  const auto hub = prefix_ + "hub";
  auto script = "ip netns add " + hub + " && ip -n " + hub
                + " link add name hub0 type bridge && ip -n " + hub
                + " link set hub0 up";
  for (int host = 0; host < count_; ++host)
    script += " && ip netns add " + name(host) + " && ip -n " + hub
              + " link add name " + link(host)
              + " type veth peer name eth0 netns " + name(host) + " && ip -n "
              + hub + " link set " + link(host) + " master hub0 up && ip -n "
              + name(host) + " addr add " + address(host)
              + "/24 dev eth0 && ip -n " + name(host)
              + " link set eth0 up && ip -n " + name(host) + " link set lo up";
  return run_program(script);
}

netns_hosts::~netns_hosts() {
  for (int host = 0; host < count_; ++host)
    std::ignore = run_program("ip netns del " + name(host));
  std::ignore = run_program("ip netns del " + prefix_ + "hub");
}

void netns_hosts::cut(int host) {
  std::ignore = run_program("ip -n " + prefix_ + "hub link set " + link(host)
                            + " nomaster");
}

void netns_hosts::heal(int host) {
  std::ignore = run_program("ip -n " + prefix_ + "hub link set " + link(host)
                            + " master hub0");
}

} // namespace forkfleet::test
