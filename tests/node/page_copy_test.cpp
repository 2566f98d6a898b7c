// SPDX-License-Identifier: Apache-2.0
// Copies of memory of the test's own, which goes on while they are made.
#include "node/qemu/page_copy.hpp"

#include <algorithm>
#include <cstring>
#include <sys/mman.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "tests/support/memory_chain.hpp"
#include "tests/support/scratch.hpp"

using namespace forkfleet;
using namespace forkfleet::qemu;
using namespace forkfleet::test;

namespace {

constexpr uint64_t page = guest_page_bytes;
constexpr uint64_t size = 4111 * page; // the only mapping of its kind

struct copy_fixture {
  uint8_t* bytes = static_cast<uint8_t*>(::mmap(
    nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  guest_memory memory = open();
  arena_pool arenas = {};
  page_buffer buffer = *page_buffer::make(arenas, size, 1 << 20);
  scratch_directory home = {};
  packed_sink sink{home.path() + "/pages"};

  ~copy_fixture() { ::munmap(bytes, size); }

  guest_memory open() const {
    ::madvise(bytes, size, MADV_DONTDUMP); // keeps its neighbours apart
    std::memset(bytes, 1, size);
    return *guest_memory::open(identify(::getpid()), size, "",
                               reinterpret_cast<uint64_t>(bytes));
  }

  static page_set pages(memory_range range) {
    auto result = page_set{size};
    result.add(range);
    return result;
  }

  void to_sink(memory_range range) {
    REQUIRE(copy_pages(memory, pages(range), buffer, sink, true,
                       [] { return status{}; }));
  }

  // Whether what was captured is what the memory holds now.
  bool is_right() {
    REQUIRE(buffer.write_to(sink, true));
    auto found = std::vector<uint8_t>(size);
    const auto layout = sink.over({.bytes = size, .files = {}, .segments = {}});
    REQUIRE(layout_image{layout}.read(0, found));
    return std::equal(found.begin(), found.end(), bytes);
  }
};

} // namespace

TEST_CASE_METHOD(copy_fixture, "an older copy never replaces a newer one",
                 "[node][qemu][page_copy][safety]") {
  to_sink({0, size});
  std::memset(bytes, 2, 40 * page);
  REQUIRE(copy_pages(memory, pages({0, 40 * page}), buffer));
  // The next pass was too large for the buffer.
  std::memset(bytes + 10 * page, 3, 60 * page);
  to_sink({10 * page, 70 * page});
  CHECK(is_right());
  std::memset(bytes + 20 * page, 4, 5 * page);
  REQUIRE(copy_pages(memory, pages({20 * page, 25 * page}), buffer));
  CHECK(is_right());
}

TEST_CASE_METHOD(copy_fixture, "a page that became zero is told",
                 "[node][qemu][page_copy][safety]") {
  const bool by_buffer = GENERATE(true, false);
  to_sink({0, size});
  std::memset(bytes + 5 * page, 0, 3000 * page);
  if (by_buffer)
    REQUIRE(copy_pages(memory, pages({5 * page, 3005 * page}), buffer));
  else
    to_sink({5 * page, 3005 * page});
  CHECK(is_right());
}

TEST_CASE_METHOD(copy_fixture, "copies in many pieces are each in their place",
                 "[node][qemu][page_copy][safety]") {
  auto some = page_set{size};
  for (uint64_t i = 0; i < 4000; i += 3) {
    bytes[i * page] = static_cast<uint8_t>(i);
    some.add({i * page, (i + 1) * page});
  }
  to_sink({0, size});
  for (uint64_t i = 0; i < 4000; i += 3)
    bytes[i * page] = static_cast<uint8_t>(i + 1);
  REQUIRE(copy_pages(memory, some, buffer));
  // Again, and now between others that have no place yet.
  for (uint64_t i = 0; i < 4000; ++i)
    bytes[i * page + 1] = static_cast<uint8_t>(i + 2);
  REQUIRE(copy_pages(memory, pages({0, 4000 * page}), buffer));
  CHECK(is_right());
}
