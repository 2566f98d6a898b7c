// SPDX-License-Identifier: Apache-2.0
#include "actors/disk_calls.hpp"

#include <cerrno>
#include <fcntl.h>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "actors/fault.hpp"
#include "actors/unique_fd.hpp"
#include "tests/support/scratch.hpp"

using namespace forkfleet;
using disk::act;

namespace {

/// Notes what it sees as long as it lives.
class witness final : public disk::watch {
public:
  witness() { disk::watch_by(this); }
  ~witness() override { disk::watch_by(nullptr); }

  int before(const disk::call&) override { return refuse_with; }
  void after(const disk::call& x, int64_t result) override {
    seen.push_back(x.what);
    last_result = result;
  }

  int refuse_with = 0;
  std::vector<act> seen = {};
  int64_t last_result = 0;
};

} // namespace

TEST_CASE("a watch sees every call that changes the disk",
          "[actors][disk_calls][safety]") {
  const test::scratch_directory home;
  const auto folder = home.path() + "/folder";
  const auto one = folder + "/one";
  const auto two = folder + "/two";
  witness seen_by;
  CHECK(disk::make_directory(folder.c_str(), 0700) == 0);
  {
    const unique_fd fd{disk::open(one.c_str(), O_RDWR | O_CREAT, 0600)};
    CHECK(disk::write(fd.get(), "abc", 3) == 3);
    CHECK(disk::write_at(fd.get(), "d", 1, 3) == 1);
    CHECK(disk::truncate(fd.get(), 2) == 0);
    CHECK(disk::allocate(fd.get(), 0, 0, 4096) == 0);
    CHECK(disk::write_out(fd.get(), 0, 4096, SYNC_FILE_RANGE_WRITE) == 0);
    CHECK(disk::sync_data(fd.get()) == 0);
    CHECK(disk::sync_all(fd.get()) == 0);
    const unique_fd again{disk::open(one.c_str(), O_RDONLY, 0)};
    disk::clone(fd.get(), again.get()); // a file of its own self: refused
    CHECK(seen_by.last_result == -1);
  }
  CHECK(disk::rename(one.c_str(), two.c_str(), RENAME_NOREPLACE) == 0);
  CHECK(disk::rename(two.c_str(), one.c_str()) == 0);
  CHECK(disk::remove(one.c_str()) == 0);
  CHECK(disk::remove_at(AT_FDCWD, folder.c_str(), AT_REMOVEDIR) == 0);
  const std::vector<act> expected{
    act::make_directory, act::create,    act::write,  act::write, act::truncate,
    act::allocate,       act::write_out, act::sync,   act::sync,  act::clone,
    act::rename,         act::rename,    act::remove, act::remove};
  CHECK(seen_by.seen == expected);
}

TEST_CASE("a call that a watch refuses does not happen",
          "[actors][disk_calls][safety]") {
  const test::scratch_directory home;
  const auto path = home.path() + "/folder";
  {
    witness seen_by;
    seen_by.refuse_with = ENOSPC;
    CHECK(disk::make_directory(path.c_str(), 0700) == -1);
    CHECK(errno == ENOSPC);
    CHECK(seen_by.seen.empty());
  }
  CHECK(disk::remove_at(AT_FDCWD, path.c_str(), AT_REMOVEDIR) == -1);
  CHECK(errno == ENOENT);
}

TEST_CASE("a sync that a signal interrupts is made again",
          "[actors][disk_calls][safety]") {
  const test::scratch_directory home;
  const auto path = home.path() + "/file";
  const unique_fd fd{disk::open(path.c_str(), O_RDWR | O_CREAT, 0600)};
  disk_breaker breaker{{disk_fault::kind::fail, 1, EINTR}};
  disk::watch_by(&breaker);
  CHECK(disk::sync_data(fd.get()) == 0);
  disk::watch_by(nullptr);
  CHECK(breaker.count() == 2);
}
