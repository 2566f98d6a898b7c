// SPDX-License-Identifier: Apache-2.0
#include "node/simulated/guest.hpp"

#include <cstdio>
#include <random>
#include <sys/mman.h>

#include <catch2/catch.hpp>

#include "actors/unique_fd.hpp"
#include "node/storage/flat_sink.hpp"

using namespace forkfleet;

namespace {

struct memory_file {
  unique_fd fd{memfd_create("guest", MFD_CLOEXEC)};
  flat_sink sink{fd.get(), "guest"};
  std::string path() const {
    return "/proc/self/fd/" + std::to_string(fd.get());
  }
};

guest_image guest_at(uint64_t tick, uint64_t memory_bytes = 1 << 20) {
  auto guest = boot_guest(memory_bytes);
  run_guest(guest, tick);
  return guest;
}

} // namespace

TEST_CASE("a guest is of one instant however it got there",
          "[node][guest][property]") {
  for (uint32_t seed = 1; seed <= 100; ++seed) {
    CAPTURE(seed);
    auto dice = std::mt19937{seed};
    auto guest = boot_guest(4096ull * 4 * (1 + dice() % 40));
    auto naive = guest;
    for (int step = 0; step < 30; ++step) {
      const auto tick = guest.tick + dice() % 100;
      run_guest(guest, tick);
      while (naive.tick < tick) {
        ++naive.tick;
        naive.ticks[(naive.tick - 1) % naive.ticks.size()] = naive.tick;
      }
      REQUIRE(guest == naive);
      REQUIRE(check_instant(guest));
    }
  }
}

TEST_CASE("pages of two instants are seen", "[node][guest][safety]") {
  auto torn = guest_at(1000);
  torn.ticks[3] = guest_at(1000 + torn.ticks.size()).ticks[3];
  const auto seen = check_instant(torn);
  REQUIRE_FALSE(seen);
  CHECK(seen.error().code == ec::snapshot_corrupt);
  CHECK(seen.error().message.find("page 3") != std::string::npos);
}

TEST_CASE("a guest comes back from its files as it was", "[node][guest]") {
  const auto tick = GENERATE(0u, 1u, 7u, 100000u);
  const auto guest = guest_at(tick);
  auto memory = memory_file{};
  const auto state = memory_file{};
  REQUIRE(write_memory(guest, memory.sink));
  REQUIRE(write_vmstate(guest, state.fd.get()));
  const auto back = read_guest(memory.path(), state.path());
  REQUIRE(back);
  CHECK(*back == guest);
}

TEST_CASE("memory and device state of two instants do not make a guest",
          "[node][guest][safety]") {
  auto memory = memory_file{};
  const auto state = memory_file{};
  REQUIRE(write_memory(guest_at(50), memory.sink));
  REQUIRE(write_vmstate(guest_at(51), state.fd.get()));
  CHECK(read_guest(memory.path(), state.path()).error().code
        == ec::snapshot_corrupt);
}

TEST_CASE("damaged and missing files are named", "[node][guest]") {
  auto memory = memory_file{};
  const auto state = memory_file{};
  CHECK(read_guest("/nowhere/m", "/nowhere/v").error().code == ec::io_failed);
  CHECK(read_guest(memory.path(), state.path()).error().code
        == ec::snapshot_corrupt);
  REQUIRE(write_memory(guest_at(50), memory.sink));
  REQUIRE(write_vmstate(guest_at(50), state.fd.get()));
  REQUIRE(pwrite(memory.fd.get(), "x", 1, 2 * 4096 + 16) == 1);
  const auto back = read_guest(memory.path(), state.path());
  REQUIRE_FALSE(back);
  CHECK(back.error().code == ec::snapshot_corrupt);
  CHECK(back.error().message.find("page 2") != std::string::npos);
}
