// SPDX-License-Identifier: Apache-2.0
#include "node/qemu/guest_memory.hpp"

#include <algorithm>
#include <sys/mman.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "node/qemu/device_state.hpp"
#include "node/qemu/page_copy.hpp"
#include "node/qemu/page_map.hpp"
#include "node/qemu/stream_splitter.hpp"
#include "tests/support/memory_chain.hpp"
#include "tests/support/scratch.hpp"
#include "tests/support/skip.hpp"

using namespace forkfleet;
using namespace forkfleet::qemu;
using namespace forkfleet::test;

namespace {

constexpr const char* maps =
  "7f0000000000-7f0000400000 rw-p 00000000 00:00 0 \n"
  "7f0001000000-7f0001400000 r--p 00000000 00:00 0 \n"
  "7f0002000000-7f0002400000 rw-p 00000000 00:1a 77     /snap/memory.bin\n"
  "7f0003000000-7f0003400000 rw-p 00000000 00:1a 78     /a b (deleted)\n"
  "7f0004000000-7f0004200000 rw-s 00000000 00:1a 79     /short\n"
  "garbage\n";
constexpr uint64_t four_mib = 4u << 20;

} // namespace

TEST_CASE("the guest's memory is found by size, and by its file",
          "[node][qemu][memory]") {
  const auto mappings = read_mappings(maps);
  CHECK(mappings.size() == 5);
  CHECK(find_memory(mappings, four_mib, "").size() == 3);
  CHECK(find_memory(mappings, four_mib, "/snap/memory.bin")
        == std::vector<uint64_t>{0x7f0002000000});
  CHECK(find_memory(mappings, four_mib, "/a b").size() == 1);
  CHECK(find_memory(mappings, four_mib, "/snap").empty());
  CHECK(find_memory(mappings, 2u << 20, "").size() == 1);
}

TEST_CASE("only what is proved private and anonymous is taken for it",
          "[node][qemu][memory][safety]") {
  const auto kind = [](const std::string& second) {
    return kind_of_memory(
      read_mappings("7f0000000000-7f0000100000 rw-p 00000000 00:00 0 \n"
                    + second),
      0x7f0000000000, 0x200000);
  };
  using enum memory_kind;
  CHECK(kind("7f0000100000-7f0000200000 rw-p 00000000 00:00 0 \n")
        == private_anonymous);
  CHECK(kind("7f0000100000-7f0000200000 rw-p 00000000 00:00 0 [anon:ram]\n")
        == private_anonymous);
  CHECK(kind("7f0000100000-7f0000200000 rw-p 00000000 00:1a 77 /image\n")
        == private_file);
  CHECK(kind("7f0000100000-7f0000200000 rw-p 00000000 00:0f 9 "
             "/anon_hugepage (deleted)\n")
        == private_file);
  CHECK(kind("7f0000100000-7f0000200000 rw-s 00000000 00:01 7 "
             "/memfd:ram (deleted)\n")
        == shared);
  CHECK(kind("7f0000100000-7f0000200000 rw-s 00000000 00:01 7 "
             "/dev/zero (deleted)\n")
        == shared);
  // What is not mapped is not known.
  CHECK(kind("7f0000180000-7f0000200000 rw-p 00000000 00:00 0 \n") == shared);
  CHECK(kind("") == shared);
}

TEST_CASE("a child's memory is its chain's, page for page",
          "[node][qemu][memory][safety]") {
  constexpr const char* chain =
    "7f0000000000-7f0000100000 rw-p 00000000 00:1a 77     /base\n"
    "7f0000100000-7f0000101000 rw-p 00003000 00:1a 78     /diff\n"
    "7f0000101000-7f0000102000 rw-p 00000000 00:00 0 \n"
    "7f0000102000-7f0000400000 rw-p 00102000 00:1a 77     /base\n";
  auto layout =
    memory_layout{.bytes = four_mib,
                  .files = {"/base", "/diff"},
                  .segments = {{0, 0x100000, std::size_t{0}, 0},
                               {0x100000, 0x1000, std::size_t{1}, 0x3000},
                               {0x101000, 0x1000, {}, 0},
                               {0x102000, 0x2fe000, std::size_t{0}, 0x102000}}};
  const auto mappings = read_mappings(chain);
  CHECK(find_layout(mappings, layout) == 0x7f0000000000u);
  CHECK(is_mapped(mappings, 0x7f0000000000, four_mib));
  CHECK_FALSE(is_mapped(mappings, 0x7f0000000000, four_mib + 4096));
  layout.segments[1].offset = 0x4000;
  const auto wrong = find_layout(mappings, layout);
  REQUIRE_FALSE(wrong);
  CHECK(wrong.error().code == ec::snapshot_corrupt);
  CHECK(wrong.error().message.find("0x100000") != std::string::npos);
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
  const auto pages = page_map::open(::getpid());
  if (!pages)
    return skip(pages.error().message);
  auto found = std::vector<page_run>{};
  REQUIRE(pages->scan(opened->begin(), size, page_question::own, false, found));
  auto own = page_set{size};
  for (const auto& run : found)
    own.add(run.range);
  auto arenas = arena_pool{};
  auto buffer = page_buffer::make(arenas, size, 1 << 20);
  REQUIRE(buffer);
  REQUIRE(copy_pages(*opened, own, *buffer));
  const auto home = scratch_directory{};
  auto sink = packed_sink{home.path() + "/pages"};
  REQUIRE(buffer->write_to(sink, true));
  REQUIRE(buffer->write_rest_as_zeros(sink));
  auto target = std::vector<uint8_t>(size);
  const auto layout = sink.over({.bytes = size, .files = {}, .segments = {}});
  REQUIRE(layout_image{layout}.read(0, target));
  CHECK(std::equal(target.begin(), target.end(), memory));
  CHECK(own.bytes() < size / 4);
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
