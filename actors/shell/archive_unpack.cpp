// SPDX-License-Identifier: Apache-2.0
#include "actors/shell/archive_unpack.hpp"

#include <algorithm>
#include <archive.h>
#include <archive_entry.h>
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <functional>
#include <memory>
#include <numeric>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "actors/bounded_text.hpp"
#include "actors/shell/sparse_file.hpp"

namespace forkfleet::shell {

namespace {

constexpr std::size_t read_bytes = 64 * 1024;
constexpr std::size_t told_max = 5;

using reader = std::unique_ptr<archive, decltype(&archive_read_free)>;

mode_t current_umask() {
  const auto mask = ::umask(077);
  ::umask(mask);
  return mask;
}

class unpacking {
public:
  unpacking(archive* from, beneath place, std::string name,
            const unpack_limits& limits)
    : from_{from}, place_{std::move(place)}, name_{std::move(name)},
      limits_{limits} {}

  status take(archive_entry* entry) {
    if (++result_.entries > limits_.entries_max)
      return refuse(fmt::format("more than {} entries", limits_.entries_max));
    const auto parts = place_of(archive_entry_pathname(entry));
    if (!parts)
      return tl::unexpected{parts.error()};
    if (const char* target = archive_entry_hardlink(entry))
      return take_hard_link(*parts, target);
    switch (archive_entry_filetype(entry)) {
      case AE_IFDIR:
        return take_directory(*parts, archive_entry_perm(entry));
      case AE_IFREG:
        return take_file(*parts, entry);
      case AE_IFLNK:
        return take_link(*parts, archive_entry_symlink(entry));
      default:
        leave_out(*parts, "neither a file, a directory nor a link");
        return {};
    }
  }

  unpacked result() && { return std::move(result_); }

private:
  static tl::unexpected<failure> refuse(const std::string& why) {
    return fail(ec::vmm_refused, "the guest's archive is not taken: " + why
                                   + "; nothing of it was kept");
  }

  expected<path_parts> place_of(const char* path) {
    auto parts = parts_of(path == nullptr ? "" : path);
    if (!parts)
      return refuse(parts.error().message);
    if (parts->empty() || parts->front() != name_)
      return refuse(fmt::format("'{}' does not lie in '{}'", bounded_text(path),
                                bounded_text(name_)));
    return parts;
  }

  void leave_out(const path_parts& parts, std::string_view why) {
    ++result_.left_out;
    if (result_.examples.size() < told_max)
      result_.examples.push_back(
        bounded_text(fmt::format("{}: {}", fmt::join(parts, "/"), why)));
  }

  status take_directory(const path_parts& parts, mode_t mode) {
    if (auto made = place_.directory(parts); !made)
      return tl::unexpected{made.error()};
    if (parts.size() == 1)
      result_.root_mode = mode & 0777;
    else
      result_.modes.emplace_back(parts, mode & 0777);
    return {};
  }

  status take_link(const path_parts& parts, const char* target) {
    if (parts.size() < 2)
      return refuse("the directory is a link");
    // Its own directory lies so deep in the tree.
    if (target == nullptr || !stays_within(target, parts.size() - 2)) {
      leave_out(parts, "a link that leads out of the directory");
      return {};
    }
    return place_.create_symlink(parts, target);
  }

  status take_hard_link(const path_parts& parts, const char* target) {
    const auto from = place_of(target);
    if (!from)
      return tl::unexpected{from.error()};
    if (parts.size() < 2 || from->size() < 2)
      return refuse("the directory is a link");
    return place_.create_link(parts, *from);
  }

  status take_file(const path_parts& parts, archive_entry* entry) {
    if (parts.size() < 2)
      return refuse("the directory is a file");
    const auto size =
      static_cast<uint64_t>(std::max<int64_t>(archive_entry_size(entry), 0));
    if (size > limits_.bytes_max - result_.bytes)
      return refuse(fmt::format("more than {} bytes", limits_.bytes_max));
    result_.bytes += size;
    const auto file = place_.create_file(parts, archive_entry_perm(entry));
    if (!file)
      return tl::unexpected{file.error()};
    if (auto written = take_content(file->get(), size, parts.back()); !written)
      return written;
    if (::ftruncate(file->get(), static_cast<off_t>(size)) != 0)
      return tl::unexpected{errno_failure(errno, bounded_text(parts.back()))};
    const auto times =
      std::array{timespec{.tv_sec = archive_entry_mtime(entry), .tv_nsec = 0},
                 timespec{.tv_sec = archive_entry_mtime(entry), .tv_nsec = 0}};
    // Of no weight where the file system does not take it.
    static_cast<void>(::futimens(file->get(), times.data()));
    return {};
  }

  status take_content(int file, uint64_t size, const std::string& name) {
    for (;;) {
      const void* bytes = nullptr;
      std::size_t count = 0;
      la_int64_t offset = 0;
      const int got = archive_read_data_block(from_, &bytes, &count, &offset);
      if (got == ARCHIVE_EOF)
        return {};
      if (got < ARCHIVE_WARN || offset < 0)
        return refuse("it is damaged");
      const auto at = static_cast<uint64_t>(offset);
      if (at > size || count > size - at)
        return refuse("a file is longer than it says");
      if (auto written =
            write_sparse(file, at, {static_cast<const char*>(bytes), count},
                         bounded_text(name));
          !written)
        return written;
    }
  }

  archive* from_;
  beneath place_;
  std::string name_;
  unpack_limits limits_;
  unpacked result_ = {};
};

} // namespace

expected<unpacked> unpack(const std::string& archive_path,
                          const std::string& name, const std::string& place,
                          const unpack_limits& limits,
                          const std::function<bool()>& is_stopped) {
  auto root = beneath::open(place);
  if (!root)
    return tl::unexpected{root.error()};
  const auto from = reader{archive_read_new(), &archive_read_free};
  archive_read_support_format_tar(from.get());
  archive_read_support_format_empty(from.get());
  archive_read_support_filter_gzip(from.get());
  if (archive_read_open_filename(from.get(), archive_path.c_str(), read_bytes)
      != ARCHIVE_OK)
    return fail(ec::vmm_refused, "the guest's archive cannot be read");
  auto work = unpacking{from.get(), std::move(*root), name, limits};
  for (;;) {
    if (is_stopped())
      return fail(ec::cancelled, "interrupted");
    archive_entry* entry = nullptr;
    const int got = archive_read_next_header(from.get(), &entry);
    if (got == ARCHIVE_EOF)
      return std::move(work).result();
    if (got < ARCHIVE_WARN)
      return fail(ec::vmm_refused, "the guest's archive is damaged");
    if (auto taken = work.take(entry); !taken)
      return tl::unexpected{taken.error()};
  }
}

status give_modes(const unpacked& what, const std::string& place) {
  auto where = beneath::open(place);
  if (!where)
    return tl::unexpected{where.error()};
  const auto mask = current_umask();
  // The deepest first: a directory may not be entered any more after it.
  auto order = std::vector<std::size_t>(what.modes.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, std::greater{}, [&](std::size_t i) {
    return what.modes[i].first.size();
  });
  for (const auto i : order) {
    const auto& [parts, mode] = what.modes[i];
    const auto directory = where->directory(parts);
    if (!directory)
      return tl::unexpected{directory.error()};
    if (::fchmod(*directory, mode & ~mask) != 0)
      return tl::unexpected{errno_failure(errno, bounded_text(parts.back()))};
  }
  return {};
}

status give_root_mode(const unpacked& what, const std::string& path) {
  const auto there = unique_fd{
    ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
  if (!there || ::fchmod(there.get(), what.root_mode & ~current_umask()) != 0)
    return tl::unexpected{errno_failure(errno, path)};
  return {};
}

} // namespace forkfleet::shell
