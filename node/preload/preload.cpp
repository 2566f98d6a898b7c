// SPDX-License-Identifier: Apache-2.0
#include "node/preload/preload.hpp"

#include <array>
#include <cerrno>
#include <climits>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "node/preload/overlay.hpp"
#include "node/preload/own_user.hpp"
#include "node/preload/tracker_gift.hpp"

namespace forkfleet::preload {

namespace {

// Set once, before the program's own code runs.
bool has_overlay = false;
std::array<char, PATH_MAX> overlay_path = {};

void say(const char* what) {
  std::fprintf(stderr, "forkfleet-preload: %s\n", what);
}

void* plain_mmap(void* where, size_t bytes, int protection, int flags, int fd,
                 off_t offset) {
  return reinterpret_cast<void*>(
    ::syscall(SYS_mmap, where, bytes, protection, flags, fd, offset));
}

bool is_same_file(int fd, std::string_view path) {
  auto name = std::array<char, PATH_MAX>{};
  path.copy(name.data(), name.size() - 1);
  struct stat mine = {};
  struct stat other = {};
  return ::fstat(fd, &mine) == 0 && ::stat(name.data(), &other) == 0
         && mine.st_dev == other.st_dev && mine.st_ino == other.st_ino;
}

// The text of the overlay; mapped, because nothing is allocated here.
class overlay_file {
public:
  overlay_file() {
    const int fd = ::open(overlay_path.data(), O_RDONLY | O_CLOEXEC);
    struct stat found = {};
    if (fd >= 0 && ::fstat(fd, &found) == 0 && found.st_size > 0) {
      bytes_ = static_cast<size_t>(found.st_size);
      start_ = plain_mmap(nullptr, bytes_, PROT_READ, MAP_PRIVATE, fd, 0);
    }
    if (fd >= 0)
      ::close(fd);
  }
  overlay_file(const overlay_file&) = delete;
  ~overlay_file() {
    if (start_ != MAP_FAILED)
      ::munmap(start_, bytes_);
  }

  std::string_view text() const {
    if (start_ == MAP_FAILED)
      return {};
    return {static_cast<const char*>(start_), bytes_};
  }

private:
  size_t bytes_ = 0;
  void* start_ = MAP_FAILED;
};

void* refuse(int error, const char* why) {
  say(why);
  errno = error;
  return MAP_FAILED;
}

// The base at its place and the runs over it, or nothing at all.
void* map_all(const overlay& x, void* where, int protection, int flags,
              int fd) {
  void* start = plain_mmap(where, x.memory_bytes, protection, flags, fd, 0);
  if (start == MAP_FAILED)
    return start;
  if (map_runs(x, static_cast<uint8_t*>(start), protection, flags))
    return start;
  const int error = errno;
  // Who goes on all the same must not find memory there.
  plain_mmap(start, x.memory_bytes, PROT_NONE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
  return refuse(error, "the overlay cannot be mapped");
}

void* map_file(void* where, size_t bytes, int protection, int flags, int fd,
               off_t offset) {
  if (!has_overlay)
    return plain_mmap(where, bytes, protection, flags, fd, offset);
  const auto file = overlay_file{};
  auto x = overlay{};
  if (!read_overlay(file.text(), x))
    return refuse(EINVAL, "the overlay is not whole");
  if (!is_same_file(fd, x.base))
    return plain_mmap(where, bytes, protection, flags, fd, offset);
  if (bytes != x.memory_bytes || offset != 0 || (flags & MAP_PRIVATE) == 0)
    return refuse(EINVAL, "the base is not mapped as a whole and privately");
  return map_all(x, where, protection, flags, fd);
}

// QEMU opens a child's memory for writing, although it maps it privately: it
// is the snapshot's, which others read.
void* map(void* where, size_t bytes, int protection, int flags, int fd,
          off_t offset) {
  if (fd < 0 || (flags & MAP_ANONYMOUS) != 0)
    return plain_mmap(where, bytes, protection, flags, fd, offset);
  void* start = map_file(where, bytes, protection, flags, fd, offset);
  if (start != MAP_FAILED && (flags & MAP_PRIVATE) != 0)
    make_read_only(fd);
  return start;
}

// Only what the loader itself may still need stays in the environment.
void begin() {
  if (const char* number = std::getenv(tracker_variable)) {
    const int socket = std::atoi(number);
    give_tracker(socket);
    ::close(socket);
  }
  remember_rights();
  if (const char* path = std::getenv(overlay_variable)) {
    has_overlay = true;
    if (std::strlen(path) < overlay_path.size())
      std::strcpy(overlay_path.data(), path);
  }
  for (const char* name : {tracker_variable, overlay_variable, "LD_PRELOAD"})
    ::unsetenv(name);
}

struct beginning {
  beginning() { begin(); }
} const at_load;

} // namespace

} // namespace forkfleet::preload

extern "C" {

[[gnu::visibility("default")]] void* mmap(void* where, size_t bytes,
                                          int protection, int flags, int fd,
                                          off_t offset) noexcept {
  return forkfleet::preload::map(where, bytes, protection, flags, fd, offset);
}

[[gnu::visibility("default")]] void* mmap64(void* where, size_t bytes,
                                            int protection, int flags, int fd,
                                            off64_t offset) noexcept {
  return forkfleet::preload::map(where, bytes, protection, flags, fd, offset);
}
}
