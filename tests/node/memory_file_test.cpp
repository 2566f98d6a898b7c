// SPDX-License-Identifier: Apache-2.0
#include "node/firecracker/memory_file.hpp"

#include <array>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "actors/unique_fd.hpp"
#include "tests/support/captured_memory.hpp"

using namespace forkfleet;
using namespace forkfleet::firecracker;
using namespace std::chrono_literals;

namespace {

constexpr uint64_t page = guest_page_bytes;
constexpr uint64_t memory_bytes = 64 * page;

struct sparse_file {
  unique_fd fd{memfd_create("memory", MFD_CLOEXEC)};
  sparse_file() { REQUIRE(ftruncate(fd.get(), memory_bytes) == 0); }
  void put(uint64_t number, uint8_t value) const {
    auto bytes = std::array<uint8_t, page>{};
    bytes.fill(value);
    REQUIRE(
      pwrite(fd.get(), bytes.data(), page, static_cast<off_t>(number * page))
      == static_cast<ssize_t>(page));
  }
};

deadline_point later() {
  return std::chrono::steady_clock::now() + 20s;
}

} // namespace

TEST_CASE("only what was written is drained, zeros too",
          "[node][memory_file]") {
  const auto file = sparse_file{};
  file.put(3, 7);
  file.put(4, 0);
  file.put(63, 9);
  auto memory = test::captured_memory{memory_bytes};
  const auto drained =
    drain_extents(file.fd.get(), memory_bytes, memory, later());
  REQUIRE(drained);
  CHECK(*drained == 3 * page);
  CHECK(memory.pages() == 3);
  CHECK(memory.written_bytes() == 2 * page);
  auto byte = std::array<uint8_t, 1>{};
  REQUIRE(memory.read(63 * page, byte));
  CHECK(byte[0] == 9);
}

TEST_CASE("an empty file has nothing to drain", "[node][memory_file]") {
  const auto file = sparse_file{};
  auto memory = test::captured_memory{memory_bytes};
  CHECK(drain_extents(file.fd.get(), memory_bytes, memory, later()) == 0u);
}

TEST_CASE("a sink that is full ends a drain with its own error",
          "[node][memory_file]") {
  const auto file = sparse_file{};
  file.put(3, 7);
  auto memory = test::captured_memory{memory_bytes};
  memory.fail_after(0);
  const auto drained =
    drain_extents(file.fd.get(), memory_bytes, memory, later());
  CHECK(drained.error().code == ec::disk_full);
}

TEST_CASE("device state is copied as it is", "[node][memory_file]") {
  const auto from = sparse_file{};
  from.put(0, 5);
  const auto to = unique_fd{memfd_create("vmstate", MFD_CLOEXEC)};
  CHECK(copy_file(from.fd.get(), to.get(), later()) == memory_bytes);
  CHECK(lseek(to.get(), 0, SEEK_END) == static_cast<off_t>(memory_bytes));
}
