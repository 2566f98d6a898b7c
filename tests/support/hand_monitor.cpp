// SPDX-License-Identifier: Apache-2.0
#include "tests/support/hand_monitor.hpp"

#include <catch2/catch.hpp>

namespace forkfleet::test {

namespace {

// Each VM runs in its own directory.
constexpr const char* socket_name = "hand.sock";

} // namespace

void add_hand_monitor(start_plan& plan) {
  auto& arguments = plan.spec.qemu_arguments;
  arguments.insert(arguments.end(), {"-qmp", std::string{"unix:"} + socket_name
                                               + ",server=on,wait=off"});
}

std::unique_ptr<qemu::qmp_client> hand_monitor(const std::string& directory) {
  auto qmp = qemu::qmp_client::connect(directory + "/" + socket_name, soon());
  REQUIRE(qmp);
  return std::move(*qmp);
}

std::string ask_monitor(qemu::qmp_client& qmp, const std::string& line) {
  const auto said = qmp.execute("human-monitor-command",
                                qemu::json{{"command-line", line}}, soon());
  REQUIRE(said);
  return said->get<std::string>();
}

} // namespace forkfleet::test
