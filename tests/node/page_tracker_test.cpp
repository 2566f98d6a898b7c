// SPDX-License-Identifier: Apache-2.0
// The tracker on memory of the test's own.
#include "node/qemu/page_tracker.hpp"

#include <fcntl.h>
#include <optional>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "node/preload/tracker_gift.hpp"
#include "node/qemu/unix_socket.hpp"
#include "tests/support/scratch.hpp"
#include "tests/support/skip.hpp"

using namespace forkfleet;
using namespace forkfleet::qemu;
using namespace forkfleet::test;

namespace {

constexpr uint64_t page = guest_page_bytes;
constexpr uint64_t size = 1024 * page;

// Memory that is tracked: fresh, or a file's.
class tracked_process {
public:
  explicit tracked_process(int fd = -1)
    : memory_{static_cast<uint8_t*>(
      ::mmap(nullptr, size, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | (fd < 0 ? MAP_ANONYMOUS : 0), fd, 0))} {
    REQUIRE(memory_ != MAP_FAILED);
    // A gift of a userfaultfd, as a VM gives it to its keeper.
    int ends[2] = {};
    REQUIRE(::socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) == 0);
    const auto mine = unique_fd{ends[0]};
    const auto theirs = unique_fd{ends[1]};
    preload::give_tracker(theirs.get());
    auto text = std::array<char, 128>{};
    auto got = receive(mine.get(), text, std::chrono::steady_clock::now());
    REQUIRE(got);
    REQUIRE(got->bytes > 0);
    uffd_ = std::move(got->passed);
  }
  ~tracked_process() { ::munmap(memory_, size); }
  tracked_process(const tracked_process&) = delete;

  // Nothing, and a word about it, where memory cannot be tracked.
  std::optional<page_tracker> track(const std::string& origin = {}) {
    auto opened =
      page_tracker::open({.process = identify(::getpid()),
                          .begin = reinterpret_cast<uint64_t>(memory_),
                          .bytes = size,
                          .directory = home_.path(),
                          .origin = origin},
                         unique_fd{::dup(uffd_.get())});
    if (!uffd_ || !opened) {
      skip(uffd_ ? opened.error().message : "no userfaultfd here");
      return {};
    }
    return std::move(*opened);
  }

  void touch(uint64_t index) { memory_[index * page + 100] += 1; }
  uint8_t look(uint64_t index) const {
    return const_cast<volatile uint8_t*>(memory_)[index * page];
  }

private:
  scratch_directory home_ = {};
  uint8_t* memory_;
  unique_fd uffd_ = {};
};

std::vector<memory_range> ranges(const page_set& x) {
  auto result = std::vector<memory_range>{};
  for (auto run = x.next(0, size); run.begin < run.end;
       run = x.next(run.end, size))
    result.push_back(run);
  return result;
}

using page_ranges = std::vector<memory_range>;

memory_range at(uint64_t index, uint64_t count = 1) {
  return {index * page, (index + count) * page};
}

} // namespace

TEST_CASE("a tracker finds what was touched, then what was written",
          "[node][qemu][page_tracker]") {
  auto process = tracked_process{};
  process.touch(3);
  process.touch(4);
  auto tracker = process.track();
  if (!tracker)
    return;
  CHECK(tracker->since().empty());
  REQUIRE(tracker->begin());
  REQUIRE(tracker->scan());
  CHECK(ranges(tracker->changed()) == page_ranges{at(3, 2)});
  tracker->commit("first");
  CHECK(tracker->since() == "first");
  CHECK(tracker->changed().bytes() == 0);
  process.touch(4);
  process.touch(1000);
  CHECK(tracker->changed_bytes() == 2 * page);
  REQUIRE(tracker->begin());
  REQUIRE(tracker->scan());
  CHECK(ranges(tracker->changed()) == page_ranges{at(4), at(1000)});
  REQUIRE(tracker->scan());
  CHECK(tracker->found().empty());
}

TEST_CASE("what a failed branch took is part of the next one",
          "[node][qemu][page_tracker][safety]") {
  auto process = tracked_process{};
  process.touch(1);
  auto tracker = process.track();
  if (!tracker)
    return;
  REQUIRE(tracker->begin());
  REQUIRE(tracker->scan());
  tracker->commit("first");
  process.touch(5);
  REQUIRE(tracker->begin());
  REQUIRE(tracker->scan());
  process.touch(6);
  REQUIRE(tracker->begin());
  REQUIRE(tracker->scan());
  CHECK(ranges(tracker->changed()) == page_ranges{at(5, 2)});
  CHECK(tracker->since() == "first");
}

TEST_CASE("another life of the node goes on between branches only",
          "[node][qemu][page_tracker][safety]") {
  auto process = tracked_process{};
  process.touch(1);
  auto first = process.track();
  if (!first)
    return;
  REQUIRE(first->begin());
  REQUIRE(first->scan());
  first->commit("sealed");
  process.touch(9);
  auto second = process.track();
  REQUIRE(second);
  CHECK(second->since() == "sealed");
  REQUIRE(second->begin());
  REQUIRE(second->scan());
  CHECK(ranges(second->changed()) == page_ranges{at(9)});
  auto third = process.track();
  REQUIRE(third);
  CHECK(third->since().empty());
  REQUIRE(third->begin());
  REQUIRE(third->scan());
  CHECK(ranges(third->changed()) == page_ranges{at(1), at(9)});
}

TEST_CASE("pages of a file that were only read have not changed",
          "[node][qemu][page_tracker][safety]") {
  const auto home = scratch_directory{};
  const auto file = unique_fd{::open((home.path() + "/image").c_str(),
                                     O_RDWR | O_CREAT | O_CLOEXEC, 0600)};
  REQUIRE(::ftruncate(file.get(), size) == 0);
  auto process = tracked_process{file.get()};
  process.touch(2);
  CHECK(process.look(7) == 0);
  auto tracker = process.track("parent");
  if (!tracker)
    return;
  CHECK(tracker->since() == "parent");
  CHECK(tracker->changed_bytes() == page);
  REQUIRE(tracker->begin());
  REQUIRE(tracker->scan());
  CHECK(ranges(tracker->changed()) == page_ranges{at(2)});
  tracker->commit("first");
  CHECK(process.look(100) == 0);
  CHECK(process.look(7) == 0);
  process.touch(7);
  process.touch(200);
  REQUIRE(tracker->begin());
  REQUIRE(tracker->scan());
  CHECK(ranges(tracker->changed()) == page_ranges{at(7), at(200)});
  tracker->release();
  CHECK(tracker->since() == "parent");
  CHECK(tracker->changed_bytes() == 3 * page);
}

TEST_CASE("writes of the kernel are found, and halves of huge pages",
          "[node][qemu][page_tracker][safety]") {
  auto process = tracked_process{};
  for (uint64_t i = 0; i < size / page; ++i)
    process.touch(i);
  auto tracker = process.track();
  if (!tracker)
    return;
  REQUIRE(tracker->begin());
  REQUIRE(tracker->scan());
  CHECK(tracker->changed().bytes() == size);
  tracker->commit("first");
  int ends[2] = {};
  REQUIRE(::pipe(ends) == 0);
  const auto reader = unique_fd{ends[0]};
  const auto writer = unique_fd{ends[1]};
  REQUIRE(::write(writer.get(), "x", 1) == 1);
  auto* target = reinterpret_cast<char*>(tracker->memory().begin) + 77 * page;
  REQUIRE(::read(reader.get(), target, 1) == 1);
  REQUIRE(tracker->scan());
  CHECK(ranges(tracker->changed()) == page_ranges{at(77)});
}
