// SPDX-License-Identifier: Apache-2.0
#include "node/storage/reservation.hpp"

#include <cstring>
#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <sys/ioctl.h>

#include <catch2/catch.hpp>

#include "node/storage/file.hpp"
#include "tests/support/scratch.hpp"
#include "tests/support/skip.hpp"
#include "tests/support/storage.hpp"

using namespace forkfleet;
using namespace forkfleet::test;

namespace {

unique_fd fresh_file(const std::string& path) {
  auto fd = open_file(path, O_RDWR | O_CREAT | O_EXCL);
  REQUIRE(fd);
  return std::move(*fd);
}

/// Bytes that the file system has mapped for the file.
uint64_t mapped_bytes(int fd) {
  alignas(fiemap) char buffer[sizeof(fiemap) + 256 * sizeof(fiemap_extent)]{};
  fiemap header{};
  header.fm_length = FIEMAP_MAX_OFFSET;
  header.fm_extent_count = 256;
  std::memcpy(buffer, &header, sizeof header);
  REQUIRE(::ioctl(fd, FS_IOC_FIEMAP, buffer) == 0);
  std::memcpy(&header, buffer, sizeof header);
  uint64_t sum = 0;
  for (unsigned i = 0; i < header.fm_mapped_extents; ++i) {
    fiemap_extent extent{};
    std::memcpy(&extent, buffer + sizeof header + i * sizeof extent,
                sizeof extent);
    sum += extent.fe_length;
  }
  return sum;
}

constexpr uint64_t disk_bytes = 320 * mib;

} // namespace

TEST_CASE("an exact reservation holds its space and has its size at once",
          "[storage][reservation]") {
  const auto kind = GENERATE(disk_kind::tmpfs, disk_kind::ext4, disk_kind::xfs);
  const auto disk = scratch_disk::make(kind, disk_bytes);
  if (!disk)
    return skip(disk.error().message);
  const auto path = (*disk)->path() + "/file";
  const auto fd = fresh_file(path);
  const auto before = available_bytes(path);
  const auto [outcome, error] =
    reserve(fd.get(), 16 * mib, reserve_shape::exact);
  CHECK(outcome == reserve_outcome::reserved);
  CHECK(error == 0);
  CHECK(file_size(fd.get(), path) == 16 * mib);
  CHECK(stored_bytes(path) >= 16 * mib);
  CHECK(*available_bytes(path) <= *before - 16 * mib);
  CHECK(file_system_of(path) == to_string(kind));
}

TEST_CASE("a reserved file is mapped in full before a byte is written",
          "[storage][reservation]") {
  const auto kind = GENERATE(disk_kind::ext4, disk_kind::xfs);
  const auto disk = scratch_disk::make(kind, disk_bytes);
  if (!disk)
    return skip(disk.error().message);
  const auto fd = fresh_file((*disk)->path() + "/file");
  reserve(fd.get(), 16 * mib, reserve_shape::exact);
  CHECK(mapped_bytes(fd.get()) == 16 * mib);
}

TEST_CASE("a reservation for at most so much gives back what was too much",
          "[storage][reservation]") {
  const auto kind = GENERATE(disk_kind::tmpfs, disk_kind::ext4, disk_kind::xfs);
  const auto disk = scratch_disk::make(kind, disk_bytes);
  if (!disk)
    return skip(disk.error().message);
  const auto path = (*disk)->path() + "/file";
  const auto fd = fresh_file(path);
  reserve(fd.get(), 8 * mib, reserve_shape::at_most);
  CHECK(file_size(fd.get(), path) == 0u);
  CHECK(stored_bytes(path) >= 8 * mib);
  REQUIRE(write_at(fd.get(), "state", 0, path));
  REQUIRE(give_back(fd.get(), 5, path));
  CHECK(file_size(fd.get(), path) == 5u);
  CHECK(stored_bytes(path) <= 64 * 1024);
}

TEST_CASE("a file system without extents is told and nothing is written there",
          "[storage][reservation]") {
  const auto disk =
    scratch_disk::make(disk_kind::ext4_without_extents, 64 * mib);
  if (!disk)
    return skip(disk.error().message);
  const auto path = (*disk)->path() + "/file";
  const auto fd = fresh_file(path);
  const auto [outcome, error] =
    reserve(fd.get(), 16 * mib, reserve_shape::exact);
  CHECK(outcome == reserve_outcome::unsupported);
  CHECK(stored_bytes(path) == 0);
}

TEST_CASE("a reservation beyond the disk is no_space",
          "[storage][reservation]") {
  const auto kind = GENERATE(disk_kind::tmpfs, disk_kind::ext4, disk_kind::xfs);
  const auto disk = scratch_disk::make(kind, disk_bytes);
  if (!disk)
    return skip(disk.error().message);
  const auto fd = fresh_file((*disk)->path() + "/file");
  const auto [outcome, error] =
    reserve(fd.get(), 2 * disk_bytes, reserve_shape::exact);
  CHECK(outcome == reserve_outcome::no_space);
  CHECK(error == ENOSPC);
}

TEST_CASE("give_back refuses a file that is too short",
          "[storage][reservation]") {
  const scratch_directory home;
  const auto path = home.path() + "/file";
  const auto fd = fresh_file(path);
  const auto done = give_back(fd.get(), 5, path);
  REQUIRE_FALSE(done);
  CHECK(done.error().code == ec::io_failed);
  CHECK(done.error().message.find(path) == 0);
}
