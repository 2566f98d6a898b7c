// SPDX-License-Identifier: Apache-2.0
// A program that was linked without forkfleet_identity, on purpose: it must
// refuse to run.
#include <iostream>

#include <caf/actor_system.hpp>

#include "actors/system_config.hpp"

int main() {
  using namespace forkfleet;
  auto config = system_config{{.threads = 1}};
  auto sys = caf::actor_system{config};
  const auto own = check_node_identity(sys);
  if (!own)
    std::cout << to_string(own.error()) << std::endl;
  return own ? 0 : 1;
}
