// SPDX-License-Identifier: Apache-2.0
#include "node/qemu/page_tracker.hpp"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <utility>

#include "actors/durable_file.hpp"
#include "actors/schema/json.hpp"
#include "node/storage/file.hpp"

namespace forkfleet::qemu {

namespace {

// Room for what a scan finds, so that none is made in the pause.
constexpr std::size_t found_expected = 1 << 16;

// What the next life of the node may believe, if the process is the same.
struct marker {
  uint64_t version = 1;
  std::string root_hash = {};
  uint64_t pid = 0;
  uint64_t start_ticks = 0;
  uint64_t begin = 0;
  uint64_t bytes = 0;

  friend bool operator==(const marker&, const marker&) = default;
  static constexpr schema::about about{"tracker_marker",
                                       "What a VM's changes count from."};
  static constexpr auto fields() {
    using schema::field;
    return std::tuple{
      field("version", &marker::version, "Of this format; 1."),
      field("root_hash", &marker::root_hash, "The snapshot they count from."),
      field("pid", &marker::pid, "The VM's process."),
      field("start_ticks", &marker::start_ticks,
            "When that process started, in clock ticks since boot."),
      field("begin", &marker::begin, "Where its memory begins."),
      field("bytes", &marker::bytes, "How large its memory is."),
    };
  }
};

marker marker_of(const tracked_memory& x, const std::string& root_hash) {
  return {.root_hash = root_hash,
          .pid = static_cast<uint64_t>(x.process.pid),
          .start_ticks = x.process.start_ticks,
          .begin = x.begin,
          .bytes = x.bytes};
}

std::string marker_path(const tracked_memory& x) {
  return x.directory + "/" + tracker_marker;
}

uint64_t bytes_of(const std::vector<page_run>& runs) {
  uint64_t sum = 0;
  for (const auto& run : runs)
    sum += run.is_zero ? 0 : run.range.bytes();
  return sum;
}

} // namespace

expected<page_tracker> page_tracker::open(tracked_memory memory,
                                          unique_fd uffd) {
  auto pages = page_map::open(memory.process.pid);
  if (!pages)
    return tl::unexpected(pages.error());
  auto result =
    page_tracker{std::move(memory), std::move(uffd), std::move(*pages)};
  result.read_marker();
  return result;
}

page_tracker::page_tracker(tracked_memory memory, unique_fd uffd,
                           page_map pages)
  : memory_{std::move(memory)}, uffd_{std::move(uffd)},
    pages_{std::move(pages)}, changed_{memory_.bytes}, since_{memory_.origin} {
  found_.reserve(found_expected);
}

void page_tracker::read_marker() {
  const auto text = read_small_file(marker_path(memory_));
  if (!text)
    return;
  const auto value = schema::parse_json(*text);
  const auto found =
    value ? schema::from_json<marker>(*value) : expected<marker>{};
  if (!found || *found != marker_of(memory_, found->root_hash))
    return;
  since_ = found->root_hash;
  is_armed_ = true;
}

uint64_t page_tracker::changed_bytes() const {
  auto found = std::vector<page_run>{};
  const auto question = is_armed_ ? page_question::written : page_question::own;
  if (!pages_.scan(memory_.begin, memory_.bytes, question, false, found))
    return memory_.bytes;
  return std::min(changed_.bytes() + bytes_of(found), memory_.bytes);
}

status page_tracker::begin() {
  ::unlink(marker_path(memory_).c_str());
  return enroll();
}

// Asking again for what is registered is right, and cheap.
status page_tracker::enroll() {
  auto wanted = uffdio_register{};
  wanted.range.start = memory_.begin;
  wanted.range.len = memory_.bytes;
  wanted.mode = UFFDIO_REGISTER_MODE_WP;
  if (::ioctl(uffd_.get(), UFFDIO_REGISTER, &wanted) != 0) {
    auto why = errno_failure(errno,
                             "registering the guest's memory to be "
                             "tracked",
                             ec::unsupported);
    lose();
    return tl::unexpected(std::move(why));
  }
  is_registered_ = true;
  return {};
}

status page_tracker::scan() {
  // Pages that were never armed are found by what they are: a first scan
  // takes all that the guest has, or that it changed of its parent's.
  const auto question = is_armed_ ? page_question::written : page_question::own;
  is_armed_ = true;
  if (auto done =
        pages_.scan(memory_.begin, memory_.bytes, question, true, found_);
      !done) {
    lose();
    return done;
  }
  for (const auto& run : found_)
    changed_.add(run.range);
  return {};
}

void page_tracker::commit(const std::string& root_hash) noexcept {
  changed_.clear();
  since_ = root_hash;
  write_marker();
}

void page_tracker::rebase(const std::string& root_hash) noexcept {
  if (!since_.empty())
    since_ = root_hash;
}

// After the node's own death the kernel still knows; after the host's there
// is no such process. So it need not be on the disk.
void page_tracker::write_marker() const noexcept {
  const auto path = marker_path(memory_);
  const auto unfinished = path + std::string{unfinished_suffix};
  const auto text = schema::dump(schema::to_json(marker_of(memory_, since_)));
  const auto file = unique_fd{
    ::open(unfinished.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)};
  const auto bytes =
    std::span{reinterpret_cast<const uint8_t*>(text.data()), text.size()};
  // Without it the next life of the node takes a full snapshot first.
  if (file && write_at(file.get(), bytes, 0, "the tracker's marker"))
    ::rename(unfinished.c_str(), path.c_str());
}

// What a child has of its own always tells it from its parent.
void page_tracker::lose() noexcept {
  ::unlink(marker_path(memory_).c_str());
  since_ = memory_.origin;
  changed_.clear();
  is_armed_ = false;
}

void page_tracker::release() noexcept {
  if (std::exchange(is_registered_, false)) {
    auto range = uffdio_range{memory_.begin, memory_.bytes};
    ::ioctl(uffd_.get(), UFFDIO_UNREGISTER, &range);
  }
  lose();
}

} // namespace forkfleet::qemu
