// SPDX-License-Identifier: Apache-2.0
#include "node/simulated/guest.hpp"

#include <array>
#include <sys/mman.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "actors/unique_fd.hpp"
#include "tests/support/captured_memory.hpp"

using namespace forkfleet;

namespace {

constexpr uint64_t memory_bytes = 1 << 20;
constexpr uint64_t working_pages = 64;

struct memory_file {
  unique_fd fd{memfd_create("guest", MFD_CLOEXEC)};
  std::string path() const {
    return "/proc/self/fd/" + std::to_string(fd.get());
  }
};

std::array<uint8_t, guest_page_bytes> page_at(uint64_t number, uint64_t tick) {
  auto page = std::array<uint8_t, guest_page_bytes>{};
  stamp_page(page, number, tick);
  return page;
}

/// The memory of a guest as it is at that tick.
test::captured_memory memory_at(uint64_t tick) {
  auto memory = test::captured_memory{memory_bytes};
  if (tick > 0)
    REQUIRE(memory.write(0, page_at(0, tick)));
  for (uint64_t page = 0; page < working_pages; ++page)
    if (const auto last = last_write(tick, page, working_pages); last > 0)
      REQUIRE(
        memory.write((page + 1) * guest_page_bytes, page_at(page + 1, last)));
  return memory;
}

guest_state state_at(uint64_t tick) {
  return {memory_bytes, working_pages, tick};
}

} // namespace

TEST_CASE("the last write of a page is told without counting there",
          "[node][guest][property]") {
  auto ticks = std::array<uint64_t, 7>{};
  for (uint64_t tick = 1; tick < 100; ++tick) {
    ticks[(tick - 1) % ticks.size()] = tick;
    for (uint64_t page = 0; page < ticks.size(); ++page)
      REQUIRE(last_write(tick, page, ticks.size()) == ticks[page]);
  }
}

TEST_CASE("a guest comes back from its pages as it was", "[node][guest]") {
  const auto tick = GENERATE(0u, 1u, 7u, 100000u);
  const auto back = read_guest(memory_at(tick), state_at(tick));
  REQUIRE(back);
  CHECK(back->tick == tick);
  CHECK(back->ticks.size() == working_pages);
}

TEST_CASE("pages of two instants are seen", "[node][guest][safety]") {
  auto torn = memory_at(1000);
  REQUIRE(torn.write(4 * guest_page_bytes,
                     page_at(4, last_write(1000, 3, working_pages) + 64)));
  const auto seen = read_guest(torn, state_at(1000));
  REQUIRE_FALSE(seen);
  CHECK(seen.error().code == ec::snapshot_corrupt);
  CHECK(seen.error().message.find("page 3") != std::string::npos);
}

TEST_CASE("a page of two ticks is seen", "[node][guest][safety]") {
  auto page = page_at(1, 5);
  const auto later = page_at(1, 69);
  std::copy_n(later.begin(), guest_page_bytes / 2, page.begin());
  CHECK(read_stamp(page, 1).error().code == ec::snapshot_corrupt);
  CHECK(read_stamp(later, 2).error().code == ec::snapshot_corrupt);
  CHECK(read_stamp(later, 1) == 69u);
}

TEST_CASE("memory and device state of two instants do not make a guest",
          "[node][guest][safety]") {
  CHECK(read_guest(memory_at(50), state_at(51)).error().code
        == ec::snapshot_corrupt);
}

TEST_CASE("the files of a guest are read back, and the damaged one is named",
          "[node][guest]") {
  const auto memory = memory_file{};
  const auto state = memory_file{};
  CHECK(read_guest("/nowhere/m", "/nowhere/v").error().code == ec::io_failed);
  CHECK(read_guest(memory.path(), state.path()).error().code
        == ec::snapshot_corrupt);
  REQUIRE(write_state(state_at(1), state.fd.get()));
  CHECK(read_state(state.path()) == state_at(1));
  for (const uint64_t number : {0, 1}) {
    const auto page = page_at(number, 1);
    REQUIRE(pwrite(memory.fd.get(), page.data(), page.size(),
                   static_cast<off_t>(number * guest_page_bytes))
            == static_cast<ssize_t>(page.size()));
  }
  CHECK(read_guest(memory.path(), state.path()));
  REQUIRE(pwrite(memory.fd.get(), "x", 1, 4096 + 16) == 1);
  const auto back = read_guest(memory.path(), state.path());
  REQUIRE_FALSE(back);
  CHECK(back.error().message.find(memory.path()) != std::string::npos);
}
