// SPDX-License-Identifier: Apache-2.0
#include "node/qemu/guest_memory.hpp"

#include <algorithm>
#include <sys/mman.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "node/qemu/device_state.hpp"
#include "node/qemu/stream_splitter.hpp"

using namespace forkfleet;
using namespace forkfleet::qemu;

namespace {

constexpr const char* maps =
  "7f0000000000-7f0000400000 rw-p 00000000 00:00 0 \n"
  "7f0001000000-7f0001400000 r--p 00000000 00:00 0 \n"
  "7f0002000000-7f0002400000 rw-p 00000000 00:1a 77     /snap/memory.bin\n"
  "7f0003000000-7f0003400000 rw-p 00000000 00:1a 78     /a b (deleted)\n"
  "7f0004000000-7f0004200000 rw-s 00000000 00:1a 79     /short\n"
  "garbage\n";
constexpr uint64_t four_mib = 4u << 20;

deadline_point later() {
  return std::chrono::steady_clock::now() + std::chrono::seconds{30};
}

} // namespace

TEST_CASE("the guest's memory is found by size, and by its file",
          "[node][qemu][memory]") {
  CHECK(find_mappings(maps, four_mib, "").size() == 3);
  const auto image = find_mappings(maps, four_mib, "/snap/memory.bin");
  REQUIRE(image.size() == 1);
  CHECK(image.front().begin == 0x7f0002000000);
  CHECK(find_mappings(maps, four_mib, "/a b").size() == 1);
  CHECK(find_mappings(maps, four_mib, "/snap").empty());
  CHECK(find_mappings(maps, 2u << 20, "").size() == 1);
}

TEST_CASE("a copy holds every page that was touched",
          "[node][qemu][memory][safety]") {
  // An odd size, so that it is the only mapping of its kind.
  constexpr auto size = 4099 * page_bytes;
  auto* memory = static_cast<uint8_t*>(::mmap(
    nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  REQUIRE(memory != MAP_FAILED);
  ::madvise(memory, size, MADV_DONTDUMP); // keeps its neighbours apart
  for (std::size_t page = 1; page < 4099; page = page * 2 + 1)
    memory[page * page_bytes + 17] = static_cast<uint8_t>(page | 1);
  const auto opened = guest_memory::open(identify(::getpid()), size, "");
  REQUIRE(opened);
  auto target = std::vector<uint8_t>(size);
  auto touched = std::vector<memory_range>{};
  REQUIRE(opened->copy(target, touched, later()));
  CHECK(std::equal(target.begin(), target.end(), memory));
  CHECK_FALSE(touched.empty());
  ::munmap(memory, size);
}

TEST_CASE("memory that cannot be told apart is not read",
          "[node][qemu][memory][safety]") {
  const auto opened = guest_memory::open(identify(::getpid()), 4096 * 17, "/x");
  REQUIRE_FALSE(opened);
  CHECK(opened.error().code == ec::unsupported);
}

TEST_CASE("saved device state becomes a stream that loads",
          "[node][qemu][device_state]") {
  const auto saved = std::vector<uint8_t>{'Q', 'E', 'V', 'M', 0, 0, 0, 3, 4, 0};
  const auto made = loadable_device_state(saved, "pc");
  REQUIRE(made);
  CHECK(*made == std::vector<uint8_t>{'Q', 'E', 'V', 'M', 0, 0,   0,   3,
                                      7,   0,   0,   0,   2, 'p', 'c', 4,
                                      0,   6,   0,   0,   0, 2,   '{', '}'});
  CHECK_FALSE(loadable_device_state({saved.data(), 9}, "pc"));
  CHECK_FALSE(loadable_device_state({saved.data(), 4}, "pc"));
}
