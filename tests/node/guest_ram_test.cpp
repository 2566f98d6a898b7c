// SPDX-License-Identifier: Apache-2.0
#include "node/simulated/guest_ram.hpp"

#include <random>
#include <sys/mman.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "actors/unique_fd.hpp"

using namespace forkfleet;

namespace {

constexpr uint64_t page = guest_page_bytes;

} // namespace

TEST_CASE("a set of pages is told as ranges", "[node][guest_ram]") {
  auto pages = page_set{200};
  CHECK(pages.ranges().empty());
  for (const uint64_t x : {0, 1, 63, 64, 65, 199})
    pages.add(x);
  CHECK(pages.count() == 6);
  CHECK(pages.ranges()
        == std::vector<memory_range>{
          {0, 2 * page}, {63 * page, 66 * page}, {199 * page, 200 * page}});
}

TEST_CASE("ranges and pages say the same", "[node][guest_ram][property]") {
  auto dice = std::mt19937{7};
  auto pages = page_set{500};
  for (int i = 0; i < 120; ++i)
    pages.add(dice() % 500);
  auto again = page_set{500};
  for (const auto& range : pages.ranges())
    again.add(range);
  CHECK(again.ranges() == pages.ranges());
  CHECK(again.count() == pages.count());
}

TEST_CASE("what is edited is written until it is taken", "[node][guest_ram]") {
  auto ram = guest_ram::make(1 << 20);
  REQUIRE(ram);
  ram->edit(3)[0] = 7;
  const auto taken = ram->take_written();
  CHECK(taken.ranges() == std::vector<memory_range>{{3 * page, 4 * page}});
  CHECK(ram->written().count() == 0);
  CHECK(ram->touched().count() == 1);
  ram->give_back_written(taken);
  CHECK(ram->written().has(3));
}

TEST_CASE("a child writes to its own memory, not to its snapshot's",
          "[node][guest_ram][safety]") {
  const auto file = unique_fd{memfd_create("snapshot", MFD_CLOEXEC)};
  REQUIRE(ftruncate(file.get(), 3 * page) == 0);
  REQUIRE(pwrite(file.get(), "base", 4, page) == 4);
  REQUIRE(pwrite(file.get(), "diff", 4, 2 * page) == 4);
  const auto path = "/proc/self/fd/" + std::to_string(file.get());
  auto ram = guest_ram::map({.bytes = 3 * page,
                             .files = {path},
                             .segments = {{0, page, 0, page},
                                          {page, page, {}, 0},
                                          {2 * page, page, 0, 2 * page}}});
  REQUIRE(ram);
  CHECK(ram->bytes()[0] == 'b');
  CHECK(ram->bytes()[page] == 0);
  CHECK(ram->bytes()[2 * page] == 'd');
  CHECK(ram->touched().count() == 2);
  CHECK(ram->written().count() == 0);
  ram->edit(0)[0] = 'x';
  char byte = 0;
  REQUIRE(pread(file.get(), &byte, 1, page) == 1);
  CHECK(byte == 'b');
}

TEST_CASE("a snapshot that is not there is named", "[node][guest_ram]") {
  const auto ram = guest_ram::map(
    {.bytes = page, .files = {"/nowhere"}, .segments = {{0, page, 0, 0}}});
  REQUIRE_FALSE(ram);
  CHECK(ram.error().message.find("/nowhere") != std::string::npos);
}
