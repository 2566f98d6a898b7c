// SPDX-License-Identifier: Apache-2.0
#include "actors/shell/beneath.hpp"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>

#include <fmt/format.h>

#include "actors/bounded_text.hpp"

namespace forkfleet::shell {

namespace {

constexpr std::size_t name_bytes_max = 255;
constexpr int look_flags = O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC | O_RDONLY;

std::string text_of(std::span<const std::string> parts) {
  auto text = std::string{};
  for (const auto& part : parts)
    text += (text.empty() ? "" : "/") + part;
  return bounded_text(text);
}

tl::unexpected<failure> wrong(std::span<const std::string> parts, int number) {
  return tl::unexpected{errno_failure(number, text_of(parts))};
}

std::string_view next_part(std::string_view& path) {
  const auto part = path.substr(0, path.find('/'));
  path.remove_prefix(std::min(path.size(), part.size() + 1));
  return part;
}

} // namespace

expected<path_parts> parts_of(std::string_view path) {
  const auto refuse = [path](std::string_view why) {
    return fail(ec::invalid_request,
                fmt::format("'{}' {}", bounded_text(path), why));
  };
  if (path.empty() || path.size() > path_bytes_max)
    return refuse("is no path of at most 4096 bytes");
  if (path.front() == '/')
    return refuse("is an absolute path");
  auto parts = path_parts{};
  while (!path.empty()) {
    const auto part = next_part(path);
    if (part == "..")
      return refuse("leads out of its directory");
    if (part.size() > name_bytes_max)
      return refuse("has a name of more than 255 bytes");
    if (!part.empty() && part != ".")
      parts.emplace_back(part);
    if (parts.size() > path_depth_max)
      return refuse("lies too deep");
  }
  return parts;
}

// Up only in the beginning, from a directory that is none of these links: what
// follows leads down, or through another link that stays.
bool stays_within(std::string_view target, std::size_t depth) {
  if (target.empty() || target.front() == '/')
    return false;
  bool was_down = false;
  while (!target.empty()) {
    const auto part = next_part(target);
    if (part == ".." && (was_down || depth == 0))
      return false;
    depth -= part == ".." ? 1 : 0;
    was_down = was_down || (part != ".." && part != "." && !part.empty());
  }
  return true;
}

expected<beneath> beneath::open(const std::string& path) {
  auto root = unique_fd{::open(path.c_str(), look_flags)};
  if (!root)
    return tl::unexpected{errno_failure(errno, path)};
  return beneath{std::move(root)};
}

expected<int> beneath::step(int parent, std::span<const std::string> parts) {
  const auto& name = parts.back();
  if (::mkdirat(parent, name.c_str(), 0700) != 0 && errno != EEXIST)
    return wrong(parts, errno);
  auto there = unique_fd{::openat(parent, name.c_str(), look_flags)};
  if (!there)
    return wrong(parts, errno);
  names_.push_back(name);
  open_.push_back(std::move(there));
  return open_.back().get();
}

expected<int> beneath::directory(std::span<const std::string> parts) {
  std::size_t same = 0;
  while (same < std::min(names_.size(), parts.size())
         && names_[same] == parts[same])
    ++same;
  names_.resize(same);
  while (open_.size() > same)
    open_.pop_back();
  auto where = expected<int>{open_.empty() ? root_.get() : open_.back().get()};
  while (where && open_.size() < parts.size())
    where = step(*where, parts.first(open_.size() + 1));
  return where;
}

expected<unique_fd> beneath::create_file(std::span<const std::string> parts,
                                         mode_t mode) {
  const auto where = directory(parts.first(parts.size() - 1));
  if (!where)
    return tl::unexpected{where.error()};
  auto file = unique_fd{::openat(
    *where, parts.back().c_str(),
    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode & 0777)};
  if (!file)
    return wrong(parts, errno);
  return file;
}

status beneath::create_symlink(std::span<const std::string> parts,
                               const std::string& target) {
  const auto where = directory(parts.first(parts.size() - 1));
  if (!where)
    return tl::unexpected{where.error()};
  if (::symlinkat(target.c_str(), *where, parts.back().c_str()) != 0)
    return wrong(parts, errno);
  return {};
}

status beneath::create_link(std::span<const std::string> parts,
                            std::span<const std::string> target) {
  auto from = directory(target.first(target.size() - 1));
  if (!from)
    return tl::unexpected{from.error()};
  const auto source = unique_fd{::fcntl(*from, F_DUPFD_CLOEXEC, 0)};
  struct stat known {};
  if (!source
      || ::fstatat(source.get(), target.back().c_str(), &known,
                   AT_SYMLINK_NOFOLLOW)
           != 0)
    return wrong(target, errno);
  if (!S_ISREG(known.st_mode))
    return wrong(target, EINVAL);
  const auto where = directory(parts.first(parts.size() - 1));
  if (!where)
    return tl::unexpected{where.error()};
  if (::linkat(source.get(), target.back().c_str(), *where,
               parts.back().c_str(), 0)
      != 0)
    return wrong(parts, errno);
  return {};
}

} // namespace forkfleet::shell
