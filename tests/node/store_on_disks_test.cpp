// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <span>
#include <vector>

#include <catch2/catch.hpp>

#include "node/storage/file.hpp"
#include "node/storage/reservation.hpp"
#include "node/storage/staging.hpp"
#include "tests/support/scratch.hpp"
#include "tests/support/skip.hpp"
#include "tests/support/storage.hpp"

using namespace forkfleet;
using namespace forkfleet::test;

namespace {

constexpr uint64_t disk_bytes = 320 * mib;

} // namespace

TEST_CASE("what was written keeps its reserved extents through a whole seal",
          "[storage][store][safety]") {
  const auto kind = GENERATE(disk_kind::tmpfs, disk_kind::ext4, disk_kind::xfs);
  const auto disk = scratch_disk::make(kind, disk_bytes);
  if (!disk)
    return skip(disk.error().message);
  store_world world{(*disk)->path() + "/node"};
  auto area = world.stage("op-1", "snap-1");
  REQUIRE(area);
  CHECK((*area)->reserved().file_system == to_string(kind));
  const auto staged = world.path() + "/staging/op-1/";
  const auto reserved = stored_bytes(staged + memory_file);
  CHECK(reserved >= 5 * mib);
  CHECK(stored_bytes(staged + vmstate_file) >= 2 * mib);
  // All but a gap that is too short to be worth a hole.
  const auto content = std::vector<uint8_t>(mib, 7);
  for (uint64_t at = 0; at < 5 * mib; at += mib)
    REQUIRE((*area)->memory().write(
      at, std::span{content}.first(at == mib ? mib - 64 * 1024 : mib)));
  REQUIRE(world.seal(**area, "op-1", "snap-1"));
  const auto sealed = world.path() + "/snapshots/snap-1/";
  CHECK(stored_bytes(sealed + memory_file) >= reserved);
  CHECK(stored_bytes(sealed + vmstate_file) <= 64 * 1024);
  CHECK(world->verify({"snap-1"}, {}));
  CHECK(world->remove({"snap-1"}));
  CHECK(world.staged().empty());
}

TEST_CASE("what was reserved and never written is given back, and no more",
          "[storage][store][safety]") {
  const auto kind = GENERATE(disk_kind::tmpfs, disk_kind::ext4, disk_kind::xfs,
                             disk_kind::btrfs);
  const auto disk = scratch_disk::make(kind, disk_bytes);
  if (!disk)
    return skip(disk.error().message);
  constexpr auto memory_bytes = 64 * mib;
  store_world world{(*disk)->path() + "/node", memory_bytes};
  auto area = world.stage("op-1", "snap-1");
  REQUIRE(area);
  // Pages at both ends of what becomes holes, and some in between.
  auto content = std::vector<uint8_t>(memory_bytes, 0);
  uint64_t written = 0;
  for (const uint64_t number : {0ull, 1ull, 70ull, 200ull, 201ull, 4095ull,
                                4096ull, 9000ull, 16383ull}) {
    const auto bytes = std::span{content}.subspan(number * page, page);
    std::ranges::fill(bytes, static_cast<uint8_t>(number % 251 + 1));
    REQUIRE((*area)->memory().write(number * page, bytes));
    written += page;
  }
  const auto sealed = world.seal(**area, "op-1", "snap-1");
  REQUIRE(sealed);
  CHECK(world.memory_of("snap-1") == content);
  CHECK(world->verify({"snap-1"}, {}));
  const auto file = world.path() + "/snapshots/snap-1/" + memory_file;
  CHECK(stored_bytes(file) >= written);
  CHECK(stored_bytes(file) < 3 * mib);
  CHECK(sealed->stored_bytes < 4 * mib);
  world.restart();
  CHECK(world.memory_of("snap-1") == content);
  CHECK(world->list().front().stored_bytes == sealed->stored_bytes);
}

TEST_CASE("a full disk ends a branch with the missing bytes and no trace",
          "[storage][store][safety]") {
  const auto kind = GENERATE(disk_kind::tmpfs, disk_kind::ext4, disk_kind::xfs);
  const auto disk = scratch_disk::make(kind, disk_bytes);
  if (!disk)
    return skip(disk.error().message);
  store_world world{(*disk)->path() + "/node", 2 * disk_bytes};
  const auto free = world->free_bytes();
  const auto area = world.stage("op-1", "snap-1");
  REQUIRE_FALSE(area);
  CHECK(area.error().error.code == ec::disk_full);
  CHECK(area.error().reserved.outcome == reserve_outcome::no_space);
  const auto missing = needed_bytes(world.request("op-1", "snap-1")) - free;
  CHECK(area.error().reserved.missing_bytes == missing);
  CHECK(
    area.error().error.message.find(std::to_string(missing) + " are missing")
    != std::string::npos);
  CHECK(world->free_bytes() == free);
  CHECK(world.staged().empty());
}

TEST_CASE("a quota that is used up is told as one, and leaves no trace",
          "[storage][store][safety]") {
  const auto disk = scratch_disk::make(disk_kind::btrfs, disk_bytes);
  if (!disk)
    return skip(disk.error().message);
  const auto root = (*disk)->path();
  const auto limited = root + "/limited";
  REQUIRE(run_program("btrfs subvolume create " + limited));
  REQUIRE(run_program("btrfs quota enable " + root));
  REQUIRE(run_program("btrfs qgroup limit 64M " + limited));
  store_world world{limited + "/node", disk_bytes / 2};
  const auto area = world.stage("op-1", "snap-1");
  REQUIRE_FALSE(area);
  CHECK(area.error().error.code == ec::quota_exceeded);
  CHECK(area.error().reserved.outcome == reserve_outcome::quota);
  CHECK(area.error().reserved.missing_bytes > 0);
  CHECK(area.error().reserved.reserved_bytes == 0);
  CHECK(world.staged().empty());
}

TEST_CASE("what fallocate refuses is removed and told, too",
          "[storage][store][safety]") {
  // Straight to the maker: the store's own look at the free space is skipped,
  // as when somebody else takes it a moment later.
  const auto kind = GENERATE(disk_kind::tmpfs, disk_kind::ext4, disk_kind::xfs);
  const auto disk = scratch_disk::make(kind, disk_bytes);
  if (!disk)
    return skip(disk.error().message);
  const auto free = *available_bytes((*disk)->path());
  const auto area = make_staging(
    {.operation = {"op-1"}, .tag = {"snap-1"}, .memory_bytes = 2 * disk_bytes},
    {(*disk)->path(), "op-1", to_string(kind), {}});
  REQUIRE_FALSE(area);
  CHECK(area.error().error.code == ec::disk_full);
  CHECK(area.error().reserved.missing_bytes >= disk_bytes);
  CHECK(area.error().reserved.reserved_bytes == 0);
  CHECK(*available_bytes((*disk)->path()) >= free - 64 * 1024);
}

TEST_CASE("the store counts what others promised to write",
          "[storage][store]") {
  const auto disk =
    scratch_disk::make(disk_kind::ext4_without_extents, 64 * mib);
  if (!disk)
    return skip(disk.error().message);
  store_world world{(*disk)->path() + "/node", 24 * mib};
  const auto first = world.stage("op-1", "snap-1");
  REQUIRE(first);
  CHECK((*first)->reserved().outcome == reserve_outcome::unsupported);
  CHECK((*first)->reserved().reserved_bytes == 0);
  const auto second = world.stage("op-2", "snap-2");
  const auto third = world.stage("op-3", "snap-3");
  REQUIRE_FALSE(third);
  CHECK(third.error().reserved.outcome == reserve_outcome::no_space);
}

TEST_CASE("a required reservation is refused where the disk cannot",
          "[storage][store]") {
  const auto disk =
    scratch_disk::make(disk_kind::ext4_without_extents, 64 * mib);
  if (!disk)
    return skip(disk.error().message);
  store_world world{(*disk)->path() + "/node"};
  auto request = world.request("op-1", "snap-1");
  request.policy = reserve_policy::required;
  const auto area = world->stage(request);
  REQUIRE_FALSE(area);
  CHECK(area.error().error.code == ec::unsupported);
  CHECK(area.error().reserved.outcome == reserve_outcome::unsupported);
  CHECK(world.staged().empty());
}

TEST_CASE("a branch without reservation is sealed where the disk cannot",
          "[storage][store]") {
  const auto disk =
    scratch_disk::make(disk_kind::ext4_without_extents, 64 * mib);
  if (!disk)
    return skip(disk.error().message);
  store_world world{(*disk)->path() + "/node"};
  REQUIRE(world.branch("op-1", "snap-1"));
  CHECK(world->verify({"snap-1"}, {}));
}

TEST_CASE("a branch that reserves nothing may be larger than the disk",
          "[storage][store]") {
  const auto disk = scratch_disk::make(disk_kind::tmpfs, 16 * mib);
  if (!disk)
    return skip(disk.error().message);
  store_world world{(*disk)->path() + "/node", 64 * mib};
  auto request = world.request("op-1", "snap-1");
  request.policy = reserve_policy::off;
  auto area = world->stage(request);
  REQUIRE(area);
  CHECK((*area)->reserved().outcome == reserve_outcome::not_tried);
  REQUIRE(world.seal(**area, "op-1", "snap-1"));
  CHECK(world->verify({"snap-1"}, {}));
}
