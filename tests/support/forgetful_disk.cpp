// SPDX-License-Identifier: Apache-2.0
#include "tests/support/forgetful_disk.hpp"

#include <algorithm>
#include <fcntl.h>
#include <fstream>
#include <linux/falloc.h>
#include <random>
#include <set>
#include <sys/stat.h>
#include <unistd.h>

namespace forkfleet::test {

namespace {

using change_kind = disk_change::kind;

constexpr uint64_t page_bytes = 4096;

int place_of(const disk::call& x) {
  return x.what == disk::act::remove ? x.fd : AT_FDCWD;
}

uint64_t inode_at(int place, const std::string& path) {
  struct stat info {};
  const bool is_there =
    ::fstatat(place, path.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0;
  return is_there ? info.st_ino : 0;
}

std::string name_in(const std::string& path) {
  return path.substr(path.rfind('/') + 1);
}

uint64_t parent_at(int place, const std::string& path) {
  const auto slash = path.rfind('/');
  return inode_at(place,
                  slash == std::string::npos ? "." : path.substr(0, slash));
}

struct stat about(int fd) {
  struct stat info {};
  static_cast<void>(::fstat(fd, &info));
  return info;
}

/// What the disk would hold, made of the changes that survive.
class remains {
public:
  remains(const disk_recorder& record, std::size_t count, survivors which,
          unsigned seed)
    : changes_{record.changes()}, count_{count}, which_{which}, dice_{seed} {
    find_synced();
    for (std::size_t i = 0; i < count_; ++i)
      apply(i);
  }

  void make(uint64_t inode, const std::string& path) const {
    const auto entries = names_.find(inode);
    if (entries == names_.end())
      return;
    for (const auto& [name, entry] : entries->second) {
      const auto inner = path + "/" + name;
      if (directories_.count(entry) != 0) {
        ::mkdir(inner.c_str(), 0700);
        make(entry, inner);
        continue;
      }
      std::ofstream out{inner, std::ios::binary};
      if (const auto found = files_.find(entry); found != files_.end())
        out.write(reinterpret_cast<const char*>(found->second.data()),
                  static_cast<std::streamsize>(found->second.size()));
    }
  }

private:
  /// A change is safe when a file or directory that it is about was synced
  /// after it.
  void find_synced() {
    safe_.resize(count_);
    std::set<uint64_t> later;
    for (auto i = count_; i-- > 0;) {
      const auto& x = changes_[i];
      const bool is_data =
        x.what == change_kind::write || x.what == change_kind::size;
      if (x.what == change_kind::sync)
        later.insert(x.inode);
      else if (is_data)
        safe_[i] = later.count(x.inode) != 0;
      else
        safe_[i] = later.count(x.parent) != 0 || later.count(x.to_parent) != 0;
    }
  }

  bool survives(std::size_t i) {
    if (safe_[i] || which_ == survivors::all)
      return true;
    return which_ == survivors::some && dice_() % 2 == 0;
  }

  void apply(std::size_t i) {
    const auto& x = changes_[i];
    if (x.is_directory)
      directories_.insert(x.inode);
    switch (x.what) {
      case change_kind::sync:
        return;
      case change_kind::write:
        return apply_write(i);
      case change_kind::size:
        if (survives(i))
          files_[x.inode].resize(x.size);
        return;
      case change_kind::link:
        if (survives(i))
          names_[x.parent][x.name] = x.inode;
        return;
      case change_kind::unlink:
        if (survives(i))
          forget(x.parent, x.name, x.inode);
        return;
      case change_kind::rename:
        if (!survives(i))
          return;
        forget(x.parent, x.name, x.inode);
        names_[x.to_parent][x.to_name] = x.inode;
        return;
    }
  }

  /// Each page by itself.
  void apply_write(std::size_t i) {
    const auto& x = changes_[i];
    auto& content = files_[x.inode];
    for (uint64_t at = 0; at < x.bytes.size();) {
      const auto next = std::min<uint64_t>(
        x.bytes.size(),
        (x.offset + at) / page_bytes * page_bytes + page_bytes - x.offset);
      if (survives(i)) {
        content.resize(std::max<uint64_t>(content.size(), x.offset + next));
        std::copy(x.bytes.begin() + static_cast<std::ptrdiff_t>(at),
                  x.bytes.begin() + static_cast<std::ptrdiff_t>(next),
                  content.begin() + static_cast<std::ptrdiff_t>(x.offset + at));
      }
      at = next;
    }
  }

  void forget(uint64_t parent, const std::string& name, uint64_t inode) {
    auto& entries = names_[parent];
    if (const auto found = entries.find(name);
        found != entries.end() && found->second == inode)
      entries.erase(found);
  }

  const std::vector<disk_change>& changes_;
  const std::size_t count_;
  const survivors which_;
  std::mt19937 dice_;
  std::vector<bool> safe_ = {};
  std::map<uint64_t, std::map<std::string, uint64_t>> names_ = {};
  std::map<uint64_t, std::vector<uint8_t>> files_ = {};
  std::set<uint64_t> directories_ = {};
};

} // namespace

disk_recorder::disk_recorder(const std::string& root)
  : root_{inode_at(AT_FDCWD, root)} {}

int disk_recorder::before(const disk::call& x) {
  old_inode_ = x.path.empty() ? 0 : inode_at(place_of(x), std::string{x.path});
  return 0;
}

void disk_recorder::note_size(const disk::call& x) {
  const auto now = about(x.fd);
  changes_.push_back({.what = change_kind::size,
                      .inode = now.st_ino,
                      .size = static_cast<uint64_t>(now.st_size)});
}

void disk_recorder::after(const disk::call& x, int64_t result) {
  using disk::act;
  if (result < 0)
    return;
  const auto path = std::string{x.path};
  const auto to = std::string{x.to};
  const auto place = place_of(x);
  switch (x.what) {
    case act::make_directory:
    case act::create: {
      const auto inode = inode_at(place, path);
      if (old_inode_ == 0)
        changes_.push_back({.what = change_kind::link,
                            .inode = inode,
                            .parent = parent_at(place, path),
                            .name = name_in(path),
                            .is_directory = x.what == act::make_directory});
      else if ((x.flags & O_TRUNC) != 0)
        changes_.push_back({.what = change_kind::size, .inode = inode});
      return;
    }
    case act::write: {
      const auto* const data = static_cast<const uint8_t*>(x.data);
      const auto end = ::lseek(x.fd, 0, SEEK_CUR);
      const auto offset = x.offset != disk::at_position
                            ? x.offset
                            : static_cast<uint64_t>(end - result);
      changes_.push_back({.what = change_kind::write,
                          .inode = about(x.fd).st_ino,
                          .offset = offset,
                          .bytes = {data, data + result}});
      return;
    }
    case act::allocate:
      if ((x.flags & FALLOC_FL_PUNCH_HOLE) != 0)
        changes_.push_back({.what = change_kind::write,
                            .inode = about(x.fd).st_ino,
                            .offset = x.offset,
                            .bytes = std::vector<uint8_t>(x.bytes)});
      return note_size(x);
    case act::truncate:
      return note_size(x);
    case act::sync:
      changes_.push_back({.inode = about(x.fd).st_ino});
      return;
    case act::rename:
      changes_.push_back({.what = change_kind::rename,
                          .inode = old_inode_,
                          .parent = parent_at(AT_FDCWD, path),
                          .name = name_in(path),
                          .to_parent = parent_at(AT_FDCWD, to),
                          .to_name = name_in(to)});
      return;
    case act::link:
      changes_.push_back({.what = change_kind::link,
                          .inode = inode_at(AT_FDCWD, to),
                          .parent = parent_at(AT_FDCWD, to),
                          .name = name_in(to)});
      return;
    case act::remove:
      changes_.push_back({.what = change_kind::unlink,
                          .inode = old_inode_,
                          .parent = parent_at(place, path),
                          .name = name_in(path)});
      return;
    case act::clone: // tmpfs has none
    case act::write_out:
      return;
  }
}

void make_remains(const disk_recorder& record, std::size_t count,
                  survivors which, unsigned seed, const std::string& path) {
  remains{record, count, which, seed}.make(record.root(), path);
}

} // namespace forkfleet::test
