// SPDX-License-Identifier: Apache-2.0
#include "actors/shell/archive_pack.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <array>
#include <cerrno>
#include <dirent.h>
#include <fcntl.h>
#include <memory>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "actors/bounded_text.hpp"
#include "actors/shell/sparse_file.hpp"

namespace forkfleet::shell {

namespace {

constexpr std::size_t examples_max = 5;
constexpr std::size_t sparse_max = 10'000;
constexpr std::size_t piece_bytes = 64 * 1024;
constexpr blkcnt_t stat_block_bytes = 512; // of st_blocks

using writer = std::unique_ptr<archive, decltype(&archive_write_free)>;
using entry_ptr = std::unique_ptr<archive_entry, decltype(&archive_entry_free)>;
struct closing {
  void operator()(DIR* x) const { ::closedir(x); }
};
using listing = std::unique_ptr<DIR, closing>;

bool has_holes(int file, const struct stat& known) {
  const auto size = static_cast<uint64_t>(known.st_size);
  if (known.st_blocks * stat_block_bytes >= known.st_size)
    return false;
  const auto first = next_data(file, 0, size);
  return first.begin > 0 || first.end < size;
}

class packing {
public:
  packing(archive* to, const std::function<bool()>& is_stopped)
    : to_{to}, is_stopped_{is_stopped} {}

  /// A directory that is open, and all that is in it.
  status take_directory(unique_fd directory, const std::string& path,
                        const path_parts& parts) {
    if (parts.size() > path_depth_max)
      return fail(ec::invalid_request, path + " lies too deep");
    struct stat known {};
    if (::fstat(directory.get(), &known) != 0)
      return tl::unexpected{errno_failure(errno, path)};
    if (auto fine = put_head(known, parts, {}, 0); !fine)
      return fine;
    const int handle = ::fcntl(directory.get(), F_DUPFD_CLOEXEC, 0);
    const auto names = listing{::fdopendir(handle)};
    if (!names)
      return tl::unexpected{errno_failure(errno, path)};
    while (const auto* each = ::readdir(names.get())) {
      const auto name = std::string{each->d_name};
      if (name == "." || name == "..")
        continue;
      auto inner = parts;
      inner.push_back(name);
      if (auto fine = take(directory.get(), path + "/" + name, inner); !fine)
        return fine;
    }
    return {};
  }

  packed result() && { return std::move(result_); }

private:
  status take(int parent, const std::string& path, const path_parts& parts) {
    if (is_stopped_())
      return fail(ec::cancelled, "interrupted");
    struct stat known {};
    const auto& name = parts.back();
    if (::fstatat(parent, name.c_str(), &known, AT_SYMLINK_NOFOLLOW) != 0)
      return tl::unexpected{errno_failure(errno, path)};
    if (S_ISLNK(known.st_mode))
      return take_link(parent, path, parts, known);
    if (!S_ISDIR(known.st_mode) && !S_ISREG(known.st_mode)) {
      leave_out(parts);
      return {};
    }
    auto there = unique_fd{::openat(
      parent, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)};
    if (!there || ::fstat(there.get(), &known) != 0)
      return tl::unexpected{errno_failure(errno, path)};
    if (S_ISDIR(known.st_mode))
      return take_directory(std::move(there), path, parts);
    return take_file(there.get(), path, parts, known);
  }

  void leave_out(const path_parts& parts) {
    ++result_.left_out;
    if (result_.examples.size() < examples_max)
      result_.examples.push_back(bounded_text(fmt::format(
        "{}: neither a file, a directory nor a link", fmt::join(parts, "/"))));
  }

  status take_link(int parent, const std::string& path, const path_parts& parts,
                   const struct stat& known) {
    auto target = std::string(path_bytes_max, '\0');
    const auto size =
      ::readlinkat(parent, parts.back().c_str(), target.data(), target.size());
    if (size < 0)
      return tl::unexpected{errno_failure(errno, path)};
    target.resize(static_cast<std::size_t>(size));
    return put_head(known, parts, target, 0);
  }

  status take_file(int file, const std::string& path, const path_parts& parts,
                   const struct stat& known) {
    if (result_.sparse.size() < sparse_max && has_holes(file, known)) {
      result_.sparse.push_back({path, parts});
      return put_head(known, parts, {}, 0);
    }
    if (auto fine = put_head(known, parts, {}, known.st_size); !fine)
      return fine;
    auto room = std::array<char, piece_bytes>{};
    for (auto left = known.st_size; left > 0;) {
      if (is_stopped_())
        return fail(ec::cancelled, "interrupted");
      const auto got = ::read(file, room.data(), room.size());
      if (got < 0 && errno == EINTR)
        continue;
      if (got < 0)
        return tl::unexpected{errno_failure(errno, path)};
      if (got == 0)
        return fail(ec::io_failed, path + " became shorter; try again");
      const auto size = static_cast<std::size_t>(std::min<off_t>(got, left));
      if (archive_write_data(to_, room.data(), size) < 0)
        return wrong();
      left -= static_cast<off_t>(size);
    }
    return {};
  }

  status put_head(const struct stat& known, const path_parts& parts,
                  const std::string& target, off_t size) {
    const auto entry = entry_ptr{archive_entry_new(), &archive_entry_free};
    const auto name = fmt::format("./{}", fmt::join(parts, "/"));
    archive_entry_copy_pathname(entry.get(), name.c_str());
    archive_entry_set_filetype(entry.get(), known.st_mode & S_IFMT);
    archive_entry_set_perm(entry.get(), known.st_mode & 0777);
    archive_entry_set_mtime(entry.get(), known.st_mtim.tv_sec, 0);
    archive_entry_set_size(entry.get(), size);
    if (!target.empty())
      archive_entry_copy_symlink(entry.get(), target.c_str());
    return archive_write_header(to_, entry.get()) < ARCHIVE_WARN ? wrong()
                                                                 : status{};
  }

  status wrong() {
    const char* text = archive_error_string(to_);
    return fail(ec::io_failed, std::string{"the archive: "}
                                 + (text == nullptr ? "not written" : text));
  }

  archive* to_;
  const std::function<bool()>& is_stopped_;
  packed result_ = {};
};

} // namespace

expected<packed> pack(const std::string& from, const std::string& name,
                      const std::string& archive_path,
                      const std::function<bool()>& is_stopped) {
  auto source =
    unique_fd{::open(from.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (!source)
    return tl::unexpected{errno_failure(errno, from, ec::invalid_request)};
  const auto to = writer{archive_write_new(), &archive_write_free};
  archive_write_set_format_gnutar(to.get());
  if (archive_write_open_filename(to.get(), archive_path.c_str()) != ARCHIVE_OK)
    return fail(ec::io_failed, archive_path + ": cannot be written");
  auto work = packing{to.get(), is_stopped};
  if (auto taken = work.take_directory(std::move(source), from, {name}); !taken)
    return tl::unexpected{taken.error()};
  if (archive_write_close(to.get()) != ARCHIVE_OK)
    return fail(ec::io_failed, archive_path + ": cannot be written");
  auto result = std::move(work).result();
  struct stat known {};
  if (::stat(archive_path.c_str(), &known) != 0)
    return tl::unexpected{errno_failure(errno, archive_path)};
  result.bytes = static_cast<uint64_t>(known.st_size);
  return result;
}

} // namespace forkfleet::shell
