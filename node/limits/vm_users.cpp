// SPDX-License-Identifier: Apache-2.0
#include "node/limits/vm_users.hpp"

#include <algorithm>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <functional>
#include <set>
#include <sstream>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

#include <fmt/format.h>

#include "actors/durable_file.hpp"
#include "actors/unique_fd.hpp"
#include "node/confinement.hpp"
#include "node/qemu/vm_owner.hpp"
#include "node/storage/file.hpp"

namespace forkfleet {

namespace {

using user_set = std::set<uint64_t>;

constexpr const char* processes = "/proc";
constexpr std::size_t status_bytes_max = 16 << 10;

/// Nothing that has a user of the range may be missed.
status add_owners(const std::string& parent, user_set& result) {
  const auto names = list_directory(parent);
  if (!names)
    return tl::unexpected<failure>(names.error());
  for (const auto& name : *names) {
    struct stat about = {};
    if (::lstat((parent + "/" + name).c_str(), &about) == 0)
      result.insert(about.st_gid);
    else if (errno != ENOENT)
      return tl::unexpected(errno_failure(errno, parent + "/" + name));
  }
  return {};
}

/// A line of /proc/PID/status: a word, and the four ids of a process.
void add_ids(const std::string& text, std::string_view word, user_set& result) {
  const auto found = text.find(word);
  if (found == std::string::npos)
    return;
  const auto begin = found + word.size();
  auto line =
    std::istringstream{text.substr(begin, text.find('\n', begin) - begin)};
  for (uint64_t id = 0; line >> id;)
    result.insert(id);
}

/// What a VM leaves that was taken for ended still has its user.
status add_processes(user_set& result) {
  const auto names = list_directory(processes);
  if (!names)
    return tl::unexpected<failure>(names.error());
  for (const auto& name : *names) {
    if (name.find_first_not_of("0123456789") != std::string::npos)
      continue;
    const auto path = fmt::format("{}/{}/status", processes, name);
    const auto text = read_small_file(path, status_bytes_max);
    if (!text && ::kill(std::stoi(name), 0) != 0 && errno == ESRCH)
      continue;
    if (!text)
      return tl::unexpected<failure>(text.error());
    add_ids(*text, "\nUid:", result);
    add_ids(*text, "\nGid:", result);
  }
  return {};
}

/// Two nodes of a host begin at different ends of a range.
uint64_t begin_in(const uid_range& range, const std::string& parent) {
  char room[PATH_MAX] = {};
  const auto* real = ::realpath(parent.c_str(), room);
  return std::hash<std::string>{}(real ? std::string{real} : parent)
         % range.size();
}

} // namespace

std::string user_obstacle(const uid_range& range, const std::string& data) {
  if (range.empty())
    return "hosts[].vm_uids is none";
  if (::geteuid() != 0)
    return "the node does not run as root";
  if (!has_capabilities(node_capabilities()))
    return "the node lacks capabilities that root has";
  const auto file =
    unique_fd{::open(data.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600)};
  if (!file)
    return errno_failure(errno, "a file without a name in " + data).message;
  for (const auto uid : {range.first, range.last})
    if (::fchown(file.get(), uid, uid) != 0)
      return errno_failure(errno,
                           fmt::format("a file of user {} in {}", uid, data))
        .message;
  return {};
}

vm_users::vm_users(uid_range range, std::string parent, std::string obstacle)
  : range_{range}, parent_{std::move(parent)}, obstacle_{std::move(obstacle)} {}

status vm_users::claim(const std::string& directory) {
  if (!obstacle_.empty())
    return {};
  const std::lock_guard lock{mutex_};
  if (range_.contains(qemu::vm_uid_of(directory)))
    return {};
  auto taken = user_set{};
  if (auto seen = add_owners(parent_, taken); !seen)
    return seen;
  if (auto seen = add_processes(taken); !seen)
    return seen;
  const auto begin = begin_in(range_, parent_);
  for (uint64_t i = 0; i < range_.size(); ++i) {
    const auto uid = range_.first + (begin + i) % range_.size();
    if (!taken.contains(uid))
      return qemu::set_vm_uid(directory, static_cast<uint32_t>(uid));
  }
  return fail(ec::node_busy,
              fmt::format("all {} users of hosts[].vm_uids are taken; give the "
                          "host more",
                          range_.size()));
}

std::string vm_users::describe() const {
  return obstacle_.empty()
           ? fmt::format("own user of {}-{}", range_.first, range_.last)
           : "no own user: " + obstacle_;
}

} // namespace forkfleet
