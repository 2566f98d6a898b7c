// SPDX-License-Identifier: Apache-2.0
// How an end is told, from what a VMM, its keeper and its guest left.
#include "node/qemu/vm_end.hpp"

#include <fstream>

#include <catch2/catch.hpp>

#include "node/keeper/vmm_child.hpp"
#include "node/qemu/machine.hpp"
#include "tests/support/scratch.hpp"

using namespace forkfleet;
using namespace forkfleet::qemu;

namespace {

struct end_fixture {
  test::scratch_directory home{};
  end_witness seen{.directory = home.path(), .process = {.pid = 77}};

  void left(const char* name, const std::string& text) const {
    std::ofstream{home.path() + "/" + name} << text;
  }
  void shutdown(const char* reason) {
    seen.shutdown = qmp_event{.name = "SHUTDOWN", .data = {{"reason", reason}}};
  }
};

} // namespace

TEST_CASE_METHOD(end_fixture, "an end of which nothing is left is not known",
                 "[node][qemu][vm_end]") {
  CHECK(describe_end(seen) == "its VM ended; how is not known");
  left(keeper::exit_file, R"({"pid": 76, "signal": 9})");
  INFO("another VM's");
  CHECK(describe_end(seen) == "its VM ended; how is not known");
}

TEST_CASE_METHOD(end_fixture, "an end is told by who saw it",
                 "[node][qemu][vm_end]") {
  left("qemu.log", "first\nno such device\n");
  left(keeper::exit_file, R"({"pid": 77, "status": 1})");
  CHECK(describe_end(seen) == "its VMM exited with status 1: no such device");
  left(keeper::exit_file, R"({"pid": 77, "signal": 9})");
  CHECK(describe_end(seen) == "its VMM was killed by signal 9 (SIGKILL)");
  shutdown("guest-shutdown");
  CHECK(describe_end(seen) == "its guest powered off");
}

TEST_CASE_METHOD(end_fixture, "a guest's last words are short and harmless",
                 "[node][qemu][vm_end][safety]") {
  shutdown("guest-reset");
  left(console_file, "Kernel panic - not syncing: \x1b[2J"
                       + std::string(5000, 'x') + "\nafter");
  const auto told = describe_end(seen);
  CHECK_THAT(told, Catch::StartsWith("its guest restarted or crashed"));
  CHECK_THAT(told, Catch::Contains("Kernel panic - not syncing: ?[2Jxxx"));
  CHECK(told.size() < 300);
}
