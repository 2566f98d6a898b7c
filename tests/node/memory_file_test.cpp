// SPDX-License-Identifier: Apache-2.0
#include "node/firecracker/memory_file.hpp"

#include <array>
#include <fcntl.h>
#include <string>
#include <sys/mman.h>
#include <unistd.h>
#include <vector>

#include <catch2/catch.hpp>

#include "actors/unique_fd.hpp"
#include "tests/support/captured_memory.hpp"
#include "tests/support/scratch.hpp"
#include "tests/support/skip.hpp"

using namespace forkfleet;
using namespace forkfleet::firecracker;
using namespace std::chrono_literals;

namespace {

constexpr uint64_t page = guest_page_bytes;
constexpr uint64_t memory_bytes = 64 * page;

struct sparse_file {
  unique_fd fd{memfd_create("memory", MFD_CLOEXEC)};
  sparse_file() { REQUIRE(ftruncate(fd.get(), memory_bytes) == 0); }
  explicit sparse_file(const std::string& path)
    : fd{open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)} {
    REQUIRE(ftruncate(fd.get(), memory_bytes) == 0);
  }
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

TEST_CASE("reserved space that somebody read is not taken for written",
          "[node][memory_file][safety]") {
  const auto kind = GENERATE(test::disk_kind::ext4, test::disk_kind::xfs,
                             test::disk_kind::btrfs);
  const auto disk = test::scratch_disk::make(kind, 320u << 20);
  if (!disk)
    return test::skip(disk.error().message);
  const auto file = sparse_file{(*disk)->path() + "/changed"};
  REQUIRE(fallocate(file.fd.get(), 0, 0, memory_bytes) == 0);
  file.put(0, 7);
  file.put(9, 0);
  // All of it lies in the host's page cache now, as zeros where nothing is.
  auto all = std::vector<uint8_t>(memory_bytes);
  REQUIRE(pread(file.fd.get(), all.data(), all.size(), 0)
          == static_cast<ssize_t>(memory_bytes));
  REQUIRE(tells_written_extents(file.fd.get()));
  for (int i = 0; i < 2; ++i) {
    auto memory = test::captured_memory{memory_bytes};
    CHECK(drain_extents(file.fd.get(), memory_bytes, memory, later())
          == 2 * page);
    CHECK(memory.pages() == 2);
  }
}

TEST_CASE("extents are told in order, joined, and to the end",
          "[node][memory_file]") {
  const auto is_on_disk = GENERATE(true, false);
  // Memory tells no extents.
  const auto disk = test::scratch_disk::make(
    is_on_disk ? test::disk_kind::ext4 : test::disk_kind::tmpfs, 64 << 20);
  if (!disk)
    return test::skip(disk.error().message);
  const auto file = sparse_file{(*disk)->path() + "/changed"};
  // More than one question to the file system tells.
  constexpr uint64_t many = 700;
  REQUIRE(ftruncate(file.fd.get(), 4 * many * page) == 0);
  for (uint64_t i = 0; i < many; ++i)
    file.put(4 * i, 1);
  file.put(1, 1);
  const auto told = written_extents(file.fd.get(), 4 * many * page);
  REQUIRE(told);
  REQUIRE(told->size() == many);
  CHECK(told->front() == memory_range{0, 2 * page});
  CHECK(told->back().begin == 4 * (many - 1) * page);
}

TEST_CASE("extents that cannot be told are no empty file",
          "[node][memory_file][safety]") {
  auto ends = std::array<int, 2>{};
  REQUIRE(pipe(ends.data()) == 0);
  const auto reader = unique_fd{ends[0]};
  const auto writer = unique_fd{ends[1]};
  CHECK(written_extents(reader.get(), memory_bytes).error().code
        == ec::io_failed);
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
