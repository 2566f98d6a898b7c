// SPDX-License-Identifier: Apache-2.0
#include "node/firecracker/capture_space.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "tests/support/scratch.hpp"
#include "tests/support/skip.hpp"

using namespace forkfleet;
using namespace forkfleet::firecracker;

namespace {

constexpr uint64_t memory_bytes = 4 << 20;

struct space_fixture {
  test::scratch_directory home;
  space_settings settings{.fast_directory = "/dev/shm",
                          .vm_directory = home.path(),
                          .memory_bytes = memory_bytes};
  ~space_fixture() { capture_space{settings}.remove(); }

  static uint64_t stored(const std::string& path) {
    struct stat known = {};
    return ::stat(path.c_str(), &known) == 0
             ? static_cast<uint64_t>(known.st_blocks) * 512
             : 0;
  }
  static uint64_t size(const std::string& path) {
    struct stat known = {};
    return ::stat(path.c_str(), &known) == 0
             ? static_cast<uint64_t>(known.st_size)
             : 0;
  }
};

} // namespace

TEST_CASE_METHOD(space_fixture,
                 "on tmpfs a diff reserves nothing: its extents say what "
                 "was written",
                 "[node][capture_space][safety]") {
  auto space = capture_space{settings};
  const auto paths = space.prepare(snapshot_kind::diff, false);
  REQUIRE(paths);
  if (!space.is_fast())
    return test::skip("no tmpfs at /dev/shm with room");
  CHECK(paths->memory.starts_with("/dev/shm/forkfleet-"));
  CHECK(size(paths->memory) == memory_bytes);
  CHECK(stored(paths->memory) == 0);
  space.remove();
  CHECK(size(paths->memory) == 0);
}

TEST_CASE_METHOD(space_fixture,
                 "on tmpfs a full snapshot has its room before the pause",
                 "[node][capture_space]") {
  auto space = capture_space{settings};
  const auto paths = space.prepare(snapshot_kind::full, false);
  REQUIRE(paths);
  if (!space.is_fast())
    return test::skip("no tmpfs at /dev/shm with room");
  CHECK(space.file_system() == "tmpfs");
  CHECK(stored(paths->memory) >= memory_bytes);
}

TEST_CASE_METHOD(space_fixture,
                 "without tmpfs the files have their room "
                 "before the pause",
                 "[node][capture_space]") {
  settings.fast_directory = "/proc";
  auto space = capture_space{settings};
  const auto paths = space.prepare(snapshot_kind::full, false);
  REQUIRE(paths);
  CHECK_FALSE(space.is_fast());
  CHECK(paths->memory.starts_with(home.path()));
  CHECK(size(paths->memory) == memory_bytes);
  CHECK(stored(paths->memory) >= memory_bytes);
}

TEST_CASE_METHOD(space_fixture, "what was collected stays until it is let go",
                 "[node][capture_space]") {
  auto space = capture_space{settings};
  const auto paths = space.prepare(snapshot_kind::diff, false);
  REQUIRE(paths);
  REQUIRE(::truncate(paths->memory.c_str(), memory_bytes) == 0);
  struct stat before = {};
  REQUIRE(::stat(paths->memory.c_str(), &before) == 0);
  REQUIRE(space.prepare(snapshot_kind::diff, true));
  struct stat after = {};
  REQUIRE(::stat(paths->memory.c_str(), &after) == 0);
  CHECK(before.st_ino == after.st_ino);
  space.forget_changes();
  CHECK(size(paths->memory) == 0);
}

TEST_CASE_METHOD(space_fixture, "the mark of an earlier life is taken up",
                 "[node][capture_space]") {
  {
    auto space = capture_space{settings};
    REQUIRE(space.prepare(snapshot_kind::diff, false));
    if (!space.is_fast())
      return test::skip("no tmpfs at /dev/shm with room");
    space.keep_mark("r1");
  }
  auto next = capture_space{settings};
  CHECK(next.take_up() == "r1");
  next.drop_mark();
  CHECK(capture_space{settings}.take_up().empty());
}

TEST_CASE_METHOD(space_fixture, "a place that others can reach is refused",
                 "[node][capture_space][safety]") {
  settings.fast_directory = "/proc";
  REQUIRE(::mkdir((home.path() + "/capture").c_str(), 0755) == 0);
  REQUIRE(::chmod((home.path() + "/capture").c_str(), 0755) == 0);
  auto space = capture_space{settings};
  CHECK(space.prepare(snapshot_kind::full, false).error().code
        == ec::not_permitted);
}
