// SPDX-License-Identifier: Apache-2.0
// fake_coordinator [PORT [AUTHORITY CERTIFICATE KEY]]: a coordinator without a
// fleet, to try tools and links against. Prints its port and its node
// identity; ends on SIGTERM.
#include <cstdlib>
#include <iostream>

#include <caf/node_id.hpp>

#include "tests/support/link_fixture.hpp"

int main(int argc, char** argv) {
  using namespace forkfleet;
  auto signals = signal_gate{};
  auto self = test::program{};
  if (auto own = check_node_identity(self.system()); !own) {
    std::cerr << to_string(own.error()) << '\n';
    return 1;
  }
  const auto wanted = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 0;
  const auto tls =
    argc > 4 ? tls_material{argv[2], argv[3], argv[4]} : tls_material{};
  const auto port = self.serve(tls, "127.0.0.1", static_cast<uint16_t>(wanted));
  if (port == 0)
    return 1;
  std::cout << port << '\n'
            << caf::to_string(self.system().node()) << std::endl;
  signals.wait();
  return 0;
}
