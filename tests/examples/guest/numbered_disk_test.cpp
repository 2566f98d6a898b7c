// SPDX-License-Identifier: Apache-2.0
#include "examples/guest/numbered_disk.hpp"

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "examples/numbered_image.hpp"

using namespace forkfleet::guest;

namespace {

constexpr uint64_t image_bytes = 4u << 20;

struct image_fixture {
  std::string path = [] {
    char name[] = "/var/tmp/numbered-XXXXXX";
    close(mkstemp(name));
    return std::string(name);
  }();
  findings found = {};
  numbered_disk disk{found};

  image_fixture() {
    REQUIRE(forkfleet::guest::make_numbered_image(path, image_bytes));
  }
  ~image_fixture() { std::remove(path.c_str()); }
};

} // namespace

TEST_CASE_METHOD(image_fixture, "a numbered disk is right as it was made",
                 "[examples][numbered_disk]") {
  REQUIRE(disk.open(path, 7));
  for (int i = 0; i < 8; ++i)
    disk.check();
  CHECK(disk.checks() == 8);
  CHECK(found.errors == 0);
}

TEST_CASE_METHOD(image_fixture, "a block of another number is found",
                 "[examples][numbered_disk][safety]") {
  REQUIRE(disk.open(path, 7));
  {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    for (const uint64_t block : {3u, 700u}) {
      const std::string sector(512, 'x');
      file.seekp(static_cast<std::streamoff>(block * page_size + 512));
      file.write(sector.data(), 512);
    }
  }
  disk.check();
  CHECK(found.errors == 1);
  CHECK(found.first.find("1 of 512 pages wrong") != std::string::npos);
}

TEST_CASE("a disk that is smaller than a piece is refused",
          "[examples][numbered_disk]") {
  findings found;
  numbered_disk disk(found);
  CHECK_FALSE(disk.open("/dev/null", 1));
}
