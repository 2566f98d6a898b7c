// SPDX-License-Identifier: Apache-2.0
#include "tests/support/power_disk.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "node/storage/file.hpp"

namespace forkfleet::test {

namespace {

constexpr uint64_t block_bytes = 4096;

/// How often the device is read until it holds still.
constexpr int attempts_max = 20;

struct recipe {
  const char* size;
  const char* make;
  const char* options;
};

// The longest intervals: no moment should meet a commit that nobody asked
// for while it is read.
recipe recipe_of(disk_kind kind) {
  switch (kind) {
    case disk_kind::ext4:
      return {"48M",
              "mkfs.ext4 -q -F -O has_journal -J size=4 -E "
              "lazy_itable_init=0,lazy_journal_init=0 ",
              "commit=300"};
    case disk_kind::xfs:
      return {"300M", "mkfs.xfs -q -f -m reflink=1 ", "nouuid"};
    case disk_kind::btrfs:
      return {"128M", "mkfs.btrfs -q -f -m single -d single ",
              "commit=300,nodiscard"};
    case disk_kind::tmpfs:
    case disk_kind::ext4_without_extents:
      break;
  }
  return {"0", "false ", ""};
}

/// Where a file holds data next.
struct data_span {
  uint64_t begin = 0;
  uint64_t end = 0;
};

data_span next_data(int fd, uint64_t from, uint64_t size) {
  const auto begin = ::lseek(fd, static_cast<off_t>(from), SEEK_DATA);
  if (begin < 0)
    return {size, size};
  const auto end = ::lseek(fd, begin, SEEK_HOLE);
  return {static_cast<uint64_t>(begin), static_cast<uint64_t>(end)};
}

} // namespace

expected<std::unique_ptr<power_disk>> power_disk::make(disk_kind kind) {
  if (auto own = have_own_mounts(); !own)
    return tl::unexpected(own.error());
  std::unique_ptr<power_disk> result{new power_disk{kind}};
  if (auto made = result->format(); !made)
    return tl::unexpected(made.error());
  return result;
}

power_disk::~power_disk() {
  static_cast<void>(unmount());
}

status power_disk::format() {
  const auto [size, make, options] = recipe_of(kind_);
  const auto image = home_.path() + "/now";
  const auto made =
    run_program("truncate -s " + std::string{size} + " " + image + " && " + make
                + image + " && fallocate -d " + image);
  if (!made)
    return fail(ec::not_permitted, "no " + to_string(kind_) + " can be made");
  ::mkdir(path().c_str(), 0700);
  if (auto mounted = mount(image); !mounted)
    return mounted;
  keep_moment();
  return {};
}

status power_disk::mount(const std::string& image) {
  const auto done =
    run_program("mount -o loop," + std::string{recipe_of(kind_).options} + " "
                + image + " " + path());
  if (!done)
    return fail(ec::not_permitted,
                "no " + to_string(kind_) + " can be mounted");
  is_mounted_ = true;
  return {};
}

status power_disk::unmount() {
  if (!std::exchange(is_mounted_, false))
    return {};
  if (::umount2(path().c_str(), 0) != 0) {
    const int error = errno;
    ::umount2(path().c_str(), MNT_DETACH);
    return tl::unexpected(errno_failure(error, "unmount " + path()));
  }
  // It would take the next image for a stale copy of this one.
  if (kind_ == disk_kind::btrfs)
    return run_program("btrfs device scan --forget");
  return {};
}

status power_disk::end() {
  last_ = {};
  return unmount();
}

std::vector<power_disk::block_change> power_disk::changes_since_last() {
  std::vector<block_change> result;
  const auto fd = open_file(home_.path() + "/now", O_RDONLY);
  if (!fd)
    return result;
  const auto size = file_size(fd->get(), "the device").value_or(0);
  last_.resize(size);
  held_.resize(size / block_bytes);
  std::vector<uint8_t> bytes(block_bytes);
  auto data = data_span{};
  for (uint64_t block = 0; block < held_.size(); ++block) {
    const auto at = block * block_bytes;
    if (at >= data.end)
      data = next_data(fd->get(), at, size);
    if (at < data.begin && !held_[block])
      continue;
    if (at < data.begin)
      std::fill(bytes.begin(), bytes.end(), uint8_t{0});
    else if (!read_at(fd->get(), bytes, at, "the device"))
      break;
    held_[block] = at >= data.begin;
    if (std::memcmp(last_.data() + at, bytes.data(), block_bytes) == 0)
      continue;
    std::copy(bytes.begin(), bytes.end(), last_.data() + at);
    result.push_back({block, bytes});
  }
  return result;
}

bool power_disk::keep_moment() {
  // The kernel may be writing: read until two readings agree.
  auto found = changes_since_last();
  for (int i = 0; i < attempts_max; ++i) {
    auto more = changes_since_last();
    if (more.empty())
      break;
    found.insert(found.end(), more.begin(), more.end());
  }
  if (found.empty() && !changes_.empty())
    return false;
  changes_.push_back(std::move(found));
  return true;
}

status power_disk::roll_to(std::size_t moment) {
  const auto past = home_.path() + "/past";
  const auto fd = open_file(past, O_RDWR | O_CREAT);
  if (!fd)
    return tl::unexpected(fd.error());
  struct stat now {};
  if (::stat((home_.path() + "/now").c_str(), &now) != 0
      || ::ftruncate(fd->get(), now.st_size) != 0)
    return tl::unexpected(errno_failure(errno, past));
  for (; rolled_ <= moment; ++rolled_)
    for (const auto& [block, bytes] : changes_[rolled_])
      if (auto done = write_at(fd->get(), bytes, block * block_bytes, past);
          !done)
        return done;
  return {};
}

status
power_disk::with_moment(std::size_t moment,
                        const std::function<void(const std::string&)>& look) {
  if (auto rolled = roll_to(moment); !rolled)
    return rolled;
  const auto trial = home_.path() + "/trial";
  if (auto copied =
        run_program("cp --sparse=always " + home_.path() + "/past " + trial);
      !copied)
    return copied;
  if (auto mounted = mount(trial); !mounted)
    return mounted;
  look(path());
  return unmount();
}

} // namespace forkfleet::test
