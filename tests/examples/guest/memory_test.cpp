// SPDX-License-Identifier: Apache-2.0
#include "examples/guest/memory.hpp"

#include <vector>

#include <catch2/catch.hpp>

using namespace forkfleet::guest;

namespace {

constexpr size_t ring_pages = 16;

struct ring_fixture {
  std::vector<std::byte> bytes{ring_pages * page_size};
  findings found;
  stamped_ring ring{bytes, found};
};

struct region_fixture {
  std::vector<uint64_t> words = std::vector<uint64_t>(64);
  findings found;
  summed_region region{words, found};
};

} // namespace

TEST_CASE_METHOD(ring_fixture, "a ring that nobody touches stays right",
                 "[examples][memory]") {
  for (int i = 0; i < 100; ++i) {
    ring.write(3);
    ring.sweep(5);
  }
  CHECK(found.errors == 0);
  CHECK(ring.sweeps() == 31);
  CHECK(ring.pages_checked() == 800);
}

TEST_CASE_METHOD(ring_fixture, "one page of another round is an error",
                 "[examples][memory][safety]") {
  const auto place = GENERATE(size_t{0}, page_size / 2 - 8, page_size - 8);
  ring.write(ring_pages);
  const auto old = bytes;
  ring.write(ring_pages);
  const auto at = 5 * page_size + place;
  std::copy_n(old.begin() + static_cast<std::ptrdiff_t>(at), 8,
              bytes.begin() + static_cast<std::ptrdiff_t>(at));
  SECTION("for the sweep") {
    ring.sweep(ring_pages);
  }
  SECTION("for the writer") {
    ring.write(ring_pages);
  }
  CHECK(found.errors == 1);
  CHECK(found.first.find("expected page 5 round 2, found page 5 round 1")
        != std::string::npos);
}

TEST_CASE_METHOD(ring_fixture, "a page in another's place is an error",
                 "[examples][memory][safety]") {
  std::copy_n(bytes.begin(), page_size,
              bytes.begin() + static_cast<std::ptrdiff_t>(7 * page_size));
  ring.sweep(ring_pages);
  CHECK(found.errors == 1);
}

TEST_CASE_METHOD(ring_fixture, "a zeroed page is an error with no stamp",
                 "[examples][memory][safety]") {
  std::fill_n(bytes.begin(), page_size, std::byte{0});
  ring.sweep(1);
  CHECK(found.first.find("found no stamp") != std::string::npos);
}

TEST_CASE_METHOD(ring_fixture, "every page of a ring can be told from outside",
                 "[examples][memory]") {
  ring.write(3);
  const auto* words = reinterpret_cast<const uint64_t*>(bytes.data());
  CHECK(read_stamp(words[0]) == page_stamp{0, 1});
  CHECK(read_stamp(words[9 * page_size / 8]) == page_stamp{9, 0});
  CHECK_FALSE(read_stamp(0));
}

TEST_CASE_METHOD(region_fixture, "a region that nobody touches stays right",
                 "[examples][memory]") {
  for (int i = 0; i < 100; ++i) {
    region.change();
    region.check(17);
  }
  CHECK(found.errors == 0);
  CHECK(region.checks() == 25);
}

TEST_CASE_METHOD(region_fixture, "one changed word of the region is an error",
                 "[examples][memory][safety]") {
  region.change();
  ++words[41];
  region.check(words.size());
  CHECK(found.errors == 1);
}

TEST_CASE_METHOD(region_fixture, "half of a change is an error",
                 "[examples][memory][safety]") {
  const auto old = words;
  region.change();
  std::copy_n(old.begin(), 32, words.begin());
  region.check(words.size());
  CHECK(found.errors == 1);
}

TEST_CASE("the first error is kept", "[examples][memory]") {
  findings found;
  found.add("one");
  found.add("two");
  CHECK(found.errors == 2);
  CHECK(found.first == "one");
}
