// SPDX-License-Identifier: Apache-2.0
// The power fails before and after every sync of a node's life, and at every
// promise that it makes, on real file systems: what they had not yet written
// is lost, and they are mounted again from their own journals.
#include <cstdio>

#include <catch2/catch.hpp>

#include "actors/disk_calls.hpp"
#include "tests/support/power_disk.hpp"
#include "tests/support/skip.hpp"
#include "tests/support/store_life.hpp"
#include "tests/support/store_wrongs.hpp"

using namespace forkfleet;
using namespace forkfleet::test;

namespace {

/// A moment of the disk, and what had been told by then.
struct failure_moment {
  std::size_t moment = 0;
  std::size_t told_first = 0; // when it was first kept
  std::size_t told_last = 0;  // when the disk last was like that
};

/// Keeps the disk's moments as a life goes by.
class moment_keeper final : public disk::watch {
public:
  explicit moment_keeper(power_disk& disk) : disk_{disk} {
    keep();
    disk::watch_by(this);
  }
  ~moment_keeper() override { disk::watch_by(nullptr); }

  int before(const disk::call& x) override {
    if (x.what == disk::act::sync)
      keep();
    return 0;
  }

  void after(const disk::call& x, int64_t) override {
    if (x.what == disk::act::sync)
      keep();
  }

  void tell(const std::string& line) {
    told.push_back(line);
    keep();
  }

  /// What had been promised at a moment: nothing had begun to go that was
  /// not yet going when the disk was first like that.
  std::vector<std::string> promises_at(const failure_moment& x) const {
    std::vector<std::string> result;
    for (std::size_t i = 0; i < x.told_last; ++i)
      if (i < x.told_first || !told[i].starts_with("removing"))
        result.push_back(told[i]);
    return result;
  }

  std::vector<failure_moment> moments = {};
  std::vector<std::string> told = {};

private:
  void keep() {
    disk_.keep_moment();
    const auto newest = disk_.moments() - 1;
    if (moments.empty() || moments.back().moment != newest)
      moments.push_back({newest, told.size(), told.size()});
    moments.back().told_last = told.size();
  }

  power_disk& disk_;
};

void check(const std::string& path, const std::vector<std::string>& promised) {
  const auto wrongs = wrongs_after(path, promised);
  for (const auto& line : wrongs)
    UNSCOPED_INFO(line);
  CHECK(wrongs.empty());
}

} // namespace

TEST_CASE("what was promised survives the power failing at any sync",
          "[crash][power][safety]") {
  const auto kind = GENERATE(disk_kind::ext4, disk_kind::xfs, disk_kind::btrfs);
  CAPTURE(to_string(kind));
  auto disk = power_disk::make(kind);
  if (!disk)
    return skip(disk.error().message);
  const auto where = (*disk)->path() + "/node";
  moment_keeper keeper{**disk};
  store_life{where, [&](const auto& line) { keeper.tell(line); }}.run();
  disk::watch_by(nullptr);
  REQUIRE((*disk)->end());
  CHECK(keeper.told.size() > 10);
  CHECK(keeper.moments.size() > 40);
  for (const auto& each : keeper.moments) {
    CAPTURE(each.moment, each.told_first, each.told_last);
    const auto looked =
      (*disk)->with_moment(each.moment, [&](const std::string& path) {
        check(path + "/node", keeper.promises_at(each));
      });
    INFO((looked ? "" : looked.error().message));
    REQUIRE(looked);
  }
  std::printf("%s: the power failed %zu times, %zu lines promised\n",
              to_string(kind).c_str(), keeper.moments.size(),
              keeper.told.size());
}
