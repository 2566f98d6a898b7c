// SPDX-License-Identifier: Apache-2.0
#include "node/qemu/page_buffer.hpp"

#include <algorithm>

#include <catch2/catch.hpp>

#include "tests/support/memory_chain.hpp"
#include "tests/support/scratch.hpp"

using namespace forkfleet;
using namespace forkfleet::qemu;
using namespace forkfleet::test;

namespace {

constexpr uint64_t page = guest_page_bytes;
constexpr uint64_t size = 64 * page;

struct buffer_fixture {
  arena_pool arenas = {};
  page_buffer buffer = *page_buffer::make(arenas, size, 16 * page);
  scratch_directory home = {};

  void put(memory_range pages, uint8_t value) {
    while (pages.begin < pages.end) {
      const auto room = buffer.add(pages);
      REQUIRE(room.size() >= page);
      std::ranges::fill(room, value);
      pages.begin += room.size();
    }
  }

  // By page, its first byte in what the buffer writes over nines.
  std::vector<uint8_t> written() {
    auto sink = packed_sink{home.path() + "/pages"};
    auto nines = std::vector<uint8_t>(size, 9);
    REQUIRE(sink.write(0, nines));
    REQUIRE(buffer.write_to(sink, true));
    auto all = std::vector<uint8_t>(size);
    const auto layout = sink.over({.bytes = size, .files = {}, .segments = {}});
    REQUIRE(layout_image{layout}.read(0, all));
    auto result = std::vector<uint8_t>{};
    for (uint64_t at = 0; at < size; at += page)
      result.push_back(all[at]);
    return result;
  }
};

} // namespace

TEST_CASE_METHOD(buffer_fixture, "a page has one place, however often it comes",
                 "[node][qemu][page_buffer][safety]") {
  for (uint8_t round = 1; round < 200; ++round)
    put({0, size}, round);
  CHECK(buffer.bytes() == size);
  CHECK(std::ranges::count(written(), 199) == 64);
}

TEST_CASE_METHOD(buffer_fixture, "the newest copy of a page counts",
                 "[node][qemu][page_buffer][safety]") {
  put({4 * page, 8 * page}, 1);
  put({6 * page, 12 * page}, 2);
  put({2 * page, 5 * page}, 3);
  buffer.add_zeros({7 * page, 9 * page});
  put({8 * page, 9 * page}, 4);
  buffer.forget({10 * page, 11 * page});
  const auto expected =
    std::vector<uint8_t>{9, 9, 3, 3, 3, 1, 2, 0, 4, 2, 9, 2, 9};
  auto found = written();
  found.resize(expected.size());
  CHECK(found == expected);
}

TEST_CASE_METHOD(buffer_fixture, "room is asked for what has no place yet",
                 "[node][qemu][page_buffer]") {
  auto first = page_set{size};
  first.add({0, 8 * page});
  CHECK(buffer.is_ready_for(first));
  put({0, 8 * page}, 1);
  CHECK(buffer.is_ready_for(first));
}
