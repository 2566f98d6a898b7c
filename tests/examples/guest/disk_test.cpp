// SPDX-License-Identifier: Apache-2.0
#include "examples/guest/disk.hpp"

#include <fcntl.h>
#include <set>
#include <unistd.h>

#include <catch2/catch.hpp>

using namespace forkfleet::guest;

TEST_CASE("no two words of a disk are the same", "[examples][guest][disk]") {
  auto seen = std::set<uint64_t>{};
  for (std::size_t block = 0; block < 4; ++block)
    for (std::size_t place = 0; place < page_size / sizeof(uint64_t); ++place)
      CHECK(seen.insert(disk_word(7, block, place)).second);
}

TEST_CASE("a disk that is not there is not used", "[examples][guest][disk]") {
  auto found = findings{};
  auto disk = stamped_disk{found};
  CHECK_FALSE(disk.open("/nowhere/disk"));
  CHECK_FALSE(disk.is_open());
  CHECK(found.errors == 0);
}
