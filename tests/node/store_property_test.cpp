// SPDX-License-Identifier: Apache-2.0
#include <map>
#include <random>

#include <catch2/catch.hpp>

#include "tests/support/scratch.hpp"
#include "tests/support/storage.hpp"

using namespace forkfleet;
using namespace forkfleet::test;

namespace {

constexpr unsigned seeds = 20;
constexpr unsigned steps = 60;
constexpr uint64_t memory_bytes = 96 * 1024;

/// What a store should hold, by a model that knows no disk.
class store_model {
public:
  store_model(const std::string& path, unsigned seed)
    : world_(path, memory_bytes), dice_(seed) {}

  void step() {
    switch (dice_() % 6) {
      case 0:
      case 1:
        return stage();
      case 2:
        return seal();
      case 3:
        return discard();
      case 4:
        return remove();
      default:
        if (dice_() % 4 == 0)
          restart();
    }
  }

  void check() {
    std::vector<std::string> expected_tags;
    for (const auto& [tag, seed] : sealed_)
      expected_tags.push_back(tag);
    CHECK(world_.tags() == expected_tags);
    std::vector<std::string> expected_staged;
    for (const auto& [operation, open] : staged_)
      expected_staged.push_back(operation);
    CHECK(world_.staged() == expected_staged);
    for (const auto& [tag, seed] : sealed_)
      CHECK(world_->verify({tag}, {}));
  }

private:
  struct open_branch {
    std::string tag;
    staging_ptr area;
  };

  std::string one_of(const char* kind) {
    return kind + std::to_string(dice_() % 5);
  }

  bool is_taken(const std::string& tag) const {
    for (const auto& [operation, open] : staged_)
      if (open.tag == tag)
        return true;
    return sealed_.count(tag) != 0;
  }

  void stage() {
    const auto operation = one_of("op-");
    const auto tag = one_of("snap-");
    const bool allowed = staged_.count(operation) == 0 && !is_taken(tag);
    auto area = world_.stage(operation, tag);
    CHECK(area.has_value() == allowed);
    if (area)
      staged_[operation] = {tag, std::move(*area)};
  }

  void seal() {
    const auto found = staged_.find(one_of("op-"));
    if (found == staged_.end())
      return;
    const auto seed = static_cast<unsigned>(dice_());
    world_.fill(*found->second.area, seed);
    CHECK(world_.seal(*found->second.area, found->first, found->second.tag));
    sealed_[found->second.tag] = seed;
    staged_.erase(found);
  }

  void discard() {
    const auto operation = one_of("op-");
    world_->discard({operation});
    staged_.erase(operation);
  }

  void remove() {
    const auto tag = one_of("snap-");
    CHECK(world_->remove({tag}).has_value() == (sealed_.erase(tag) == 1));
  }

  void restart() {
    world_.restart();
    CHECK(world_->recover().size() == staged_.size());
    CHECK(world_->problems().empty());
    staged_.clear();
  }

  store_world world_;
  std::mt19937 dice_;
  std::map<std::string, unsigned> sealed_;
  std::map<std::string, open_branch> staged_;
};

} // namespace

TEST_CASE("a store does what a model of it does, whatever the order",
          "[storage][store][property]") {
  for (unsigned seed = 1; seed <= seeds; ++seed) {
    CAPTURE(seed);
    const scratch_directory home;
    store_model model{home.path() + "/node", seed};
    for (unsigned i = 0; i < steps; ++i)
      model.step();
    model.check();
  }
}
