// SPDX-License-Identifier: Apache-2.0
#include "actors/shell/local_file.hpp"

#include <cerrno>
#include <fcntl.h>
#include <filesystem>
#include <sys/stat.h>
#include <unistd.h>

#include "actors/shell/clock.hpp"
#include "actors/shell/sparse_file.hpp"
#include "actors/shell/standing_io.hpp"

namespace forkfleet::shell {

namespace {

constexpr mode_t default_mode = 0644;

} // namespace

expected<local_file> local_file::open(const std::string& path) {
  if (path == "-")
    return local_file{"stdin",
                      unique_fd{::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0)},
                      default_mode};
  // Not waiting for the other end of a pipe, which it must not be.
  auto file =
    unique_fd{::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC)};
  struct stat known {};
  if (!file || ::fstat(file.get(), &known) != 0)
    return tl::unexpected{errno_failure(errno, path, ec::invalid_request)};
  if (S_ISDIR(known.st_mode))
    return fail(ec::invalid_request, path + " is a directory: give -r");
  if (!S_ISREG(known.st_mode))
    return fail(ec::invalid_request, path + " is no regular file");
  return local_file{path, std::move(file), known.st_mode & 0777};
}

expected<std::string> local_file::read(std::size_t bytes_max) const {
  auto piece = std::string{};
  while (piece.size() < bytes_max) {
    const auto more =
      read_standing(file_.get(), bytes_max - piece.size(), path_);
    if (!more)
      return more;
    if (more->empty())
      break;
    piece += *more;
  }
  return piece;
}

std::string target_path(const std::string& path, const std::string& name) {
  auto ignored = std::error_code{};
  return std::filesystem::is_directory(path, ignored)
           ? (std::filesystem::path{path} / name).string()
           : path;
}

expected<unfinished_file> unfinished_file::create(const std::string& path,
                                                  const std::string& name) {
  auto target = target_path(path, name);
  const auto place = std::filesystem::path{target}.parent_path();
  auto temporary =
    (place / (".forkfleet-" + new_operation_id().value)).string();
  auto file = unique_fd{
    ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600)};
  if (!file)
    return tl::unexpected{errno_failure(errno, temporary, ec::invalid_request)};
  return unfinished_file{std::move(target), std::move(temporary),
                         std::move(file)};
}

unfinished_file::~unfinished_file() {
  if (file_)
    ::unlink(temporary_.c_str());
}

status unfinished_file::write(std::string_view bytes) {
  if (auto written = write_sparse(file_.get(), size_, bytes, temporary_);
      !written)
    return written;
  size_ += bytes.size();
  return {};
}

status unfinished_file::finish(mode_t mode) {
  const auto mask = ::umask(077);
  ::umask(mask);
  if (::ftruncate(file_.get(), static_cast<off_t>(size_)) != 0
      || ::fchmod(file_.get(), mode & 0777 & ~mask) != 0
      || ::fsync(file_.get()) != 0)
    return tl::unexpected{errno_failure(errno, temporary_)};
  if (::rename(temporary_.c_str(), path_.c_str()) != 0)
    return tl::unexpected{errno_failure(errno, path_)};
  file_.reset();
  return {};
}

} // namespace forkfleet::shell
