// SPDX-License-Identifier: Apache-2.0
#include "node/network/net_space.hpp"

#include <cerrno>
#include <fcntl.h>
#include <linux/magic.h>
#include <mutex>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <thread>
#include <unistd.h>

#include "actors/durable_file.hpp"
#include "actors/unique_fd.hpp"

namespace forkfleet {

namespace {

/// The directory is prepared by one at a time.
std::mutex directory_mutex;

/// What is unmounted here must go away in other mount namespaces, too: a
/// copy of the mount would keep the namespace. As ip-netns(8) does it.
status prepare_directory() {
  const std::lock_guard lock{directory_mutex};
  if (::mkdir(spaces_directory, 0755) != 0 && errno != EEXIST)
    return tl::unexpected(errno_failure(errno, spaces_directory));
  constexpr auto share = MS_SHARED | MS_REC;
  if (::mount("", spaces_directory, "none", share, nullptr) == 0)
    return {};
  if (errno != EINVAL
      || ::mount(spaces_directory, spaces_directory, "none", MS_BIND | MS_REC,
                 nullptr)
           != 0
      || ::mount("", spaces_directory, "none", share, nullptr) != 0)
    return tl::unexpected(errno_failure(errno, spaces_directory));
  return {};
}

status leave_for_fresh() {
  if (::unshare(CLONE_NEWNET) != 0)
    return tl::unexpected(errno_failure(errno, "a new network namespace"));
  return {};
}

/// A namespace is a thread's: this one's ends with it.
status run_on_thread(const std::function<status()>& work) {
  auto result = status{};
  std::thread{[&] { result = work(); }}.join();
  return result;
}

} // namespace

std::string space_path(const std::string& name) {
  return std::string{spaces_directory} + "/" + name;
}

bool has_space(const std::string& name) {
  struct statfs info = {};
  return ::statfs(space_path(name).c_str(), &info) == 0
         && info.f_type == NSFS_MAGIC;
}

status make_space(const std::string& name) {
  if (has_space(name))
    return {};
  if (auto ready = prepare_directory(); !ready)
    return ready;
  const auto path = space_path(name);
  const auto file = unique_fd{
    ::open(path.c_str(), O_RDONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0)};
  if (!file)
    return tl::unexpected(errno_failure(errno, path));
  auto made = run_in_fresh_space([&path]() -> status {
    if (::mount("/proc/thread-self/ns/net", path.c_str(), "none", MS_BIND,
                nullptr)
        != 0)
      return tl::unexpected(errno_failure(errno, path));
    return {};
  });
  if (!made)
    ::unlink(path.c_str());
  return made;
}

status remove_space(const std::string& name) {
  const auto path = space_path(name);
  if (has_space(name) && ::umount2(path.c_str(), MNT_DETACH) != 0)
    return tl::unexpected(errno_failure(errno, path));
  if (::unlink(path.c_str()) != 0 && errno != ENOENT)
    return tl::unexpected(errno_failure(errno, path));
  return {};
}

status enter_space(const std::string& path) {
  const auto file = unique_fd{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (!file || ::setns(file.get(), CLONE_NEWNET) != 0)
    return tl::unexpected(errno_failure(errno, path));
  return {};
}

status run_in_space(const std::string& name,
                    const std::function<status()>& work) {
  return run_on_thread([&]() -> status {
    if (auto entered = enter_space(space_path(name)); !entered)
      return entered;
    return work();
  });
}

status run_in_fresh_space(const std::function<status()>& work) {
  return run_on_thread([&]() -> status {
    if (auto left = leave_for_fresh(); !left)
      return left;
    return work();
  });
}

} // namespace forkfleet
