// SPDX-License-Identifier: Apache-2.0
#include <map>

#include <catch2/catch.hpp>

#include "node/storage/reservation.hpp"
#include "tests/support/diff_maker.hpp"
#include "tests/support/scratch.hpp"
#include "tests/support/skip.hpp"
#include "tests/support/storage.hpp"

using namespace forkfleet;
using namespace forkfleet::test;

namespace {

constexpr uint64_t memory_bytes = 96 * page;

/// What a store with chains should hold, by a model that knows no disk.
class chain_model {
public:
  chain_model(const std::string& path, unsigned seed)
    : world_(path, memory_bytes), dice_(seed) {
    REQUIRE(world_.branch("op-0", "snap-0"));
    sealed_["snap-0"] = {world_.memory_of("snap-0"), ""};
  }

  void step() {
    switch (dice_() % 8) {
      case 0:
        return full();
      case 1:
      case 2:
      case 3:
        return over(memory_form::diff);
      case 4:
        return over(memory_form::clone);
      case 5:
        return flatten();
      case 6:
        return remove();
      default:
        if (dice_() % 4 == 0)
          restart();
    }
  }

  /// A diff over the newest, again and again.
  void deepen(std::size_t depth) {
    for (std::size_t i = 0; i < depth; ++i)
      seal_over(newest_, memory_form::diff);
  }

  void check() {
    CHECK(world_.tags().size() == sealed_.size());
    CHECK(world_->unwritten_bytes() == 0);
    CHECK(world_.staged().empty());
    for (const auto& [tag, known] : sealed_) {
      CAPTURE(tag);
      CHECK(world_.memory_of(tag) == known.memory);
      CHECK(world_->open({tag})->info.base.value == known.base);
      CHECK(world_->verify({tag}, {}));
    }
  }

private:
  struct snapshot {
    bytes memory;
    std::string base; // empty: flat
  };

  std::string fresh_name() { return "snap-" + std::to_string(++made_); }

  std::string one() {
    auto at = sealed_.begin();
    std::advance(at, dice_() % sealed_.size());
    return at->first;
  }

  void full() {
    const auto tag = fresh_name();
    REQUIRE(world_.branch("op-" + tag, tag, static_cast<unsigned>(dice_())));
    sealed_[tag] = {world_.memory_of(tag), ""};
    newest_ = tag;
  }

  void over(memory_form form) {
    const auto base = one();
    if (form == memory_form::diff)
      return seal_over(base, form);
    const auto request = world_.request_over("op-x", "x", base, form);
    if (world_->can_clone() && sealed_[base].base.empty())
      return seal_over(base, form);
    const auto area = world_->stage(request);
    REQUIRE_FALSE(area);
    CHECK(area.error().error.code == ec::unsupported);
  }

  void seal_over(const std::string& base, memory_form form) {
    const auto tag = fresh_name();
    auto memory = sealed_[base].memory;
    const auto info =
      world_.branch_over(world_.request_over("op-" + tag, tag, base, form),
                         [&](memory_sink& sink) {
                           REQUIRE(change(dice_, sink, memory, dice_() % 12));
                         });
    REQUIRE(info);
    sealed_[tag] = {std::move(memory), form == memory_form::diff ? base : ""};
    newest_ = tag;
  }

  void flatten() {
    const auto tag = one();
    REQUIRE(world_->flatten({tag}, {}));
    sealed_[tag].base.clear();
  }

  void remove() {
    const auto tag = one();
    if (sealed_.size() == 1)
      return;
    bool is_needed = false;
    for (const auto& [other, known] : sealed_)
      is_needed = is_needed || known.base == tag;
    const auto done = world_->remove({tag});
    CHECK(done.has_value() == !is_needed);
    if (done)
      sealed_.erase(tag);
    else
      CHECK(done.error().code == ec::invalid_request);
    if (!sealed_.contains(newest_))
      newest_ = sealed_.begin()->first;
  }

  void restart() {
    world_.restart();
    CHECK(world_->recover().empty());
    CHECK(world_->problems().empty());
  }

  store_world world_;
  std::mt19937 dice_;
  std::map<std::string, snapshot> sealed_;
  std::string newest_ = "snap-0";
  int made_ = 0;
};

} // namespace

TEST_CASE("a store of chains does what a model of it does",
          "[storage][store][chain][property]") {
  for (unsigned seed = 1; seed <= 12; ++seed) {
    CAPTURE(seed);
    const scratch_directory home;
    chain_model model{home.path() + "/node", seed};
    for (unsigned i = 0; i < 60; ++i)
      model.step();
    model.check();
  }
}

TEST_CASE("a chain of a hundred reads, flattens and lets go as a short one",
          "[storage][store][chain][property]") {
  const scratch_directory home;
  chain_model model{home.path() + "/node", 77};
  model.deepen(100);
  model.check();
  for (unsigned i = 0; i < 60; ++i)
    model.step();
  model.check();
}

TEST_CASE("chains are right on every file system",
          "[storage][store][chain][property]") {
  const auto kind = GENERATE(disk_kind::tmpfs, disk_kind::ext4, disk_kind::xfs,
                             disk_kind::btrfs);
  const auto disk = scratch_disk::make(kind, 320 * mib);
  if (!disk)
    return skip(disk.error().message);
  chain_model model{(*disk)->path() + "/node", 5};
  for (unsigned i = 0; i < 60; ++i)
    model.step();
  model.check();
}

TEST_CASE("files are cloned where the file system can",
          "[storage][store][chain]") {
  const auto kind = GENERATE(disk_kind::tmpfs, disk_kind::ext4, disk_kind::xfs,
                             disk_kind::btrfs);
  const auto disk = scratch_disk::make(kind, 320 * mib);
  if (!disk)
    return skip(disk.error().message);
  store_world world{(*disk)->path() + "/node", 64 * mib};
  const bool can = kind == disk_kind::xfs || kind == disk_kind::btrfs;
  CHECK(world->can_clone() == can);
  REQUIRE(world.branch("op-1", "base"));
  if (!can)
    return;
  const auto before = *available_bytes((*disk)->path());
  auto memory = world.memory_of("base");
  const auto request =
    world.request_over("op-2", "clone", "base", memory_form::clone);
  const auto info = world.branch_over(request, [&](memory_sink& sink) {
    REQUIRE(sink.write(10 * mib, bytes(page, 77)));
    REQUIRE(sink.zero({20 * mib, 21 * mib}));
  });
  REQUIRE(info);
  std::fill_n(memory.begin() + 10 * mib, page, uint8_t{77});
  std::fill_n(memory.begin() + 20 * mib, mib, uint8_t{0});
  CHECK(world.memory_of("clone") == memory);
  CHECK(world->verify({"clone"}, {}));
  CHECK(before - *available_bytes((*disk)->path()) < 8 * mib);
  CHECK(info->depth == 0);
  CHECK(world->remove({"base"}));
  CHECK(world->verify({"clone"}, {}));
}

TEST_CASE("a flatten that finds the disk full leaves the diff as it was",
          "[storage][store][chain][safety]") {
  const auto kind = GENERATE(disk_kind::tmpfs, disk_kind::ext4);
  const auto disk = scratch_disk::make(kind, 64 * mib);
  if (!disk)
    return skip(disk.error().message);
  store_world world{(*disk)->path() + "/node", 36 * mib};
  auto request = world.request("op-1", "base");
  auto area = world->stage(request);
  REQUIRE(area);
  REQUIRE((*area)->memory().write(0, bytes(36 * mib, 1)));
  REQUIRE(world.seal(**area, "op-1", "base"));
  REQUIRE(world.branch_over(
    world.request_over("op-2", "top", "base"),
    [](memory_sink& sink) { REQUIRE(sink.write(0, bytes(page, 2))); }));
  const auto free = world->free_bytes();
  const auto done = world->flatten({"top"}, {});
  REQUIRE_FALSE(done);
  CHECK(done.error().code == ec::disk_full);
  CHECK(world->free_bytes() >= free - 64 * 1024);
  CHECK(world->open({"top"})->info.depth == 1);
  CHECK(world->verify({"top"}, {}));
}
