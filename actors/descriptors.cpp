// SPDX-License-Identifier: Apache-2.0
#include "actors/descriptors.hpp"

#include <cerrno>
#include <dirent.h>
#include <memory>
#include <sys/resource.h>

namespace forkfleet {

namespace {

struct stream_closer {
  void operator()(DIR* x) const { ::closedir(x); }
};

} // namespace

void raise_descriptor_limit() noexcept {
  auto limit = rlimit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0
      || limit.rlim_cur == limit.rlim_max)
    return;
  limit.rlim_cur = limit.rlim_max;
  // What is refused stays as it was.
  static_cast<void>(::setrlimit(RLIMIT_NOFILE, &limit));
}

descriptor_sample count_descriptors() {
  auto result = descriptor_sample{};
  auto limit = rlimit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0)
    return result;
  result.max = limit.rlim_cur;
  const std::unique_ptr<DIR, stream_closer> stream{::opendir("/proc/self/fd")};
  if (!stream)
    return result;
  uint64_t names = 0;
  for (errno = 0; ::readdir(stream.get()) != nullptr; errno = 0)
    ++names;
  if (errno != 0)
    return result;
  // Two dots, and the stream itself.
  result.open = names > 3 ? names - 3 : 0;
  result.is_known = true;
  return result;
}

} // namespace forkfleet
