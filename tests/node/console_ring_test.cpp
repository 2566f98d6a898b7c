// SPDX-License-Identifier: Apache-2.0
#include "node/console_ring.hpp"

#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "actors/base64.hpp"
#include "node/console_piece.hpp"
#include "tests/support/scratch.hpp"

using namespace forkfleet;

namespace {

constexpr uint64_t keep = 256 << 10;
constexpr uint64_t most = keep + keep / 8 + (64 << 10);

struct ring_fixture {
  const test::scratch_directory place = {};
  const std::string path = place.path() + "/console";
  std::string all = {};

  /// As QEMU does: at the end, whatever became of the front.
  void print(std::size_t bytes) {
    auto file = std::ofstream{path, std::ios::app};
    const auto begin = all.size();
    while (all.size() < begin + bytes)
      all += "line " + std::to_string(all.size()) + "\n";
    file << std::string_view{all}.substr(begin);
  }

  uint64_t on_disk() const {
    struct stat about = {};
    REQUIRE(::stat(path.c_str(), &about) == 0);
    return static_cast<uint64_t>(about.st_blocks) * 512;
  }

  /// All pieces from `offset` on.
  std::string read(uint64_t offset, uint64_t& dropped) const {
    auto result = std::string{};
    auto next = console_request{.offset = offset};
    for (;;) {
      const auto got = read_console(path, next);
      REQUIRE(got);
      CHECK(got->offset == next.offset + got->dropped_bytes);
      dropped += got->dropped_bytes;
      result += from_base64(got->content).value();
      next.offset = got->next;
      if (got->has_ended)
        return result;
    }
  }
};

} // namespace

TEST_CASE_METHOD(ring_fixture,
                 "what prints for ever takes a bounded part of the disk",
                 "[node][console][safety]") {
  for (int i = 0; i < 40; ++i) {
    print(100'000);
    REQUIRE(trim_ring(path, keep));
    CHECK(on_disk() <= most);
  }
  CHECK(all.size() > 10 * keep);
}

TEST_CASE_METHOD(ring_fixture,
                 "what is left keeps its place, and what is missing is told",
                 "[node][console][safety]") {
  print(2'000'000);
  REQUIRE(trim_ring(path, keep));
  uint64_t dropped = 0;
  const auto text = read(0, dropped);
  CHECK(dropped > 0);
  CHECK(dropped + text.size() == all.size());
  CHECK(text.size() >= keep);
  CHECK((text == all.substr(dropped)));
  // Who had read so far misses nothing.
  uint64_t none = 0;
  const auto had = all.size();
  print(5000);
  REQUIRE(trim_ring(path, keep));
  CHECK((read(had, none) == all.substr(had)));
  CHECK(none == 0);
}

TEST_CASE_METHOD(ring_fixture, "the last lines are told without what is gone",
                 "[node][console]") {
  print(2'000'000);
  REQUIRE(trim_ring(path, keep));
  const auto tail = read_console(path, {.tail = 3});
  REQUIRE(tail);
  CHECK(tail->dropped_bytes == 0);
  const auto text = from_base64(tail->content).value();
  CHECK(all.ends_with(text));
  CHECK(std::count(text.begin(), text.end(), '\n') == 3);
}

TEST_CASE_METHOD(ring_fixture, "little is never given back",
                 "[node][console]") {
  print(keep);
  REQUIRE(trim_ring(path, keep));
  uint64_t dropped = 0;
  CHECK((read(0, dropped) == all));
  CHECK(dropped == 0);
}

TEST_CASE_METHOD(ring_fixture, "a ring that is not there is in order",
                 "[node][console]") {
  CHECK(trim_ring(path, keep));
}

TEST_CASE_METHOD(ring_fixture, "no ring is cut through a link",
                 "[node][console][safety]") {
  print(2'000'000);
  const auto link = place.path() + "/link";
  std::filesystem::create_symlink(path, link);
  CHECK_FALSE(trim_ring(link, keep));
  REQUIRE(::mkfifo((place.path() + "/fifo").c_str(), 0600) == 0);
  CHECK_FALSE(trim_ring(place.path() + "/fifo", keep));
  uint64_t dropped = 0;
  CHECK((read(0, dropped) == all));
}
