// SPDX-License-Identifier: Apache-2.0
// port_abuse HOST PORT [SEED]: does to a coordinator's port, or to the socket
// HOST when that is a path, what no sound program does, and tells how it took
// it. Exit 0 when everything bad was refused and the port still answers.
#include <cstdlib>
#include <iostream>

#include "actors/link/endpoint.hpp"
#include "tests/support/abuse.hpp"

int main(int argc, char** argv) {
  using namespace forkfleet;
  auto plan = test::abuse_plan{};
  if (argc < 3 || (!is_loopback(argv[1]) && argv[1][0] != '/')) {
    std::cerr << "usage: port_abuse LOOPBACK-ADDRESS|PATH PORT [SEED]\n";
    return 2;
  }
  plan.address = argv[1];
  plan.port = static_cast<uint16_t>(std::strtoul(argv[2], nullptr, 10));
  plan.seed = argc > 3 ? std::strtoull(argv[3], nullptr, 10) : 1;
  const auto report = test::abuse(plan);
  for (const auto& name : report.survived)
    std::cout << "NOT REFUSED: " << name << '\n';
  std::cout << "attacks=" << report.attacks
            << " refused=" << report.attacks - report.survived.size()
            << " empty_connections=" << plan.empty_connections
            << " fuzz_connections=" << plan.fuzz_connections
            << " fuzz_frames=" << report.fuzz_frames
            << " still_answers=" << (report.still_answers ? "yes" : "no")
            << '\n';
  return report.survived.empty() && report.still_answers ? 0 : 1;
}
