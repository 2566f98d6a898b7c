// SPDX-License-Identifier: Apache-2.0
// The real keeper, with programs that play its VM.
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "actors/durable_file.hpp"
#include "node/keeper/vmm_child.hpp"
#include "node/qemu/keeper_link.hpp"
#include "node/qemu/machine.hpp"
#include "node/qemu/vm_end.hpp"
#include "tests/support/scratch.hpp"

using namespace forkfleet;
using namespace forkfleet::qemu;
using namespace std::chrono_literals;

namespace {

deadline_point soon() {
  return std::chrono::steady_clock::now() + 60s;
}

std::string program(const char* name) {
  return (std::filesystem::read_symlink("/proc/self/exe").parent_path() / name)
    .string();
}

} // namespace

TEST_CASE("a VMM that says that it ends, and hangs, is ended",
          "[node][keeper][safety]") {
  const test::scratch_directory home{};
  REQUIRE(start_keeper({.keeper = program("forkfleet-keeper"),
                        .directory = home.path(),
                        .watchdog = watchdog_socket,
                        .leash_pid = ::getpid(),
                        .vmm = {program("hung_vmm")}},
                       soon()));
  const auto link =
    keeper_link::connect(home.path() + "/" + keeper_socket, soon());
  REQUIRE(link);
  const auto vmm = find_process(link->identity().vmm);
  REQUIRE(vmm.runs());
  CHECK(link->wait_for_end(soon()));
  CHECK(has_ended(vmm.pidfd()));
  CHECK(
    describe_end({.directory = home.path(), .process = link->identity().vmm})
    == "its guest powered off");
}
