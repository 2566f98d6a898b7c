// SPDX-License-Identifier: Apache-2.0
#include "actors/disk_calls.hpp"

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "actors/fault.hpp"

namespace forkfleet::disk {

namespace {

std::atomic<watch*>& current() {
  static std::atomic<watch*> x{fault_of_environment()};
  return x;
}

/// Makes a call under the eyes of the watch, if there is one.
template <class Make>
auto pass(const call& x, Make make) -> decltype(make()) {
  auto* const seen_by = current().load(std::memory_order_acquire);
  if (seen_by == nullptr)
    return make();
  if (const int error = seen_by->before(x); error != 0) {
    errno = error;
    return -1;
  }
  const auto result = make();
  const int error = errno;
  seen_by->after(x, result);
  errno = error;
  return result;
}

/// A sync that a signal interrupts has promised nothing: it is made again.
template <class Sync>
int sync(int fd, Sync make) {
  const call x{.what = act::sync, .fd = fd};
  int result = -1;
  do
    result = pass(x, [&] { return make(fd); });
  while (result != 0 && errno == EINTR);
  return result;
}

} // namespace

void watch_by(watch* x) {
  current().store(x, std::memory_order_release);
}

int make_directory(const char* path, mode_t mode) {
  return pass({.what = act::make_directory, .path = path},
              [&] { return ::mkdir(path, mode); });
}

int open(const char* path, int flags, mode_t mode) {
  const auto make = [&] { return ::open(path, flags, mode); };
  if ((flags & O_CREAT) == 0)
    return make();
  return pass({.what = act::create, .path = path, .flags = flags}, make);
}

ssize_t write(int fd, const void* data, std::size_t bytes) {
  return pass({.what = act::write,
               .fd = fd,
               .data = data,
               .offset = at_position,
               .bytes = bytes},
              [&] { return ::write(fd, data, bytes); });
}

ssize_t write_at(int fd, const void* data, std::size_t bytes, uint64_t offset) {
  return pass(
    {.what = act::write,
     .fd = fd,
     .data = data,
     .offset = offset,
     .bytes = bytes},
    [&] { return ::pwrite(fd, data, bytes, static_cast<off_t>(offset)); });
}

int truncate(int fd, uint64_t bytes) {
  return pass({.what = act::truncate, .fd = fd, .bytes = bytes},
              [&] { return ::ftruncate(fd, static_cast<off_t>(bytes)); });
}

int allocate(int fd, int mode, uint64_t offset, uint64_t bytes) {
  return pass({.what = act::allocate,
               .fd = fd,
               .offset = offset,
               .bytes = bytes,
               .flags = mode},
              [&] {
                return ::fallocate(fd, mode, static_cast<off_t>(offset),
                                   static_cast<off_t>(bytes));
              });
}

int clone(int fd, int source) {
  return pass({.what = act::clone, .fd = fd, .source = source},
              [&] { return ::ioctl(fd, FICLONE, source); });
}

int write_out(int fd, uint64_t offset, uint64_t bytes, unsigned flags) {
  return pass(
    {.what = act::write_out, .fd = fd, .offset = offset, .bytes = bytes}, [&] {
      return ::sync_file_range(fd, static_cast<off_t>(offset),
                               static_cast<off_t>(bytes), flags);
    });
}

int sync_data(int fd) {
  return sync(fd, ::fdatasync);
}

int sync_all(int fd) {
  return sync(fd, ::fsync);
}

int rename(const char* from, const char* to, unsigned flags) {
  return pass({.what = act::rename,
               .path = from,
               .to = to,
               .flags = static_cast<int>(flags)},
              [&] {
                return flags == 0
                         ? std::rename(from, to)
                         : ::renameat2(AT_FDCWD, from, AT_FDCWD, to, flags);
              });
}

int link(const char* from, const char* to) {
  return pass({.what = act::link, .path = from, .to = to},
              [&] { return ::link(from, to); });
}

int remove(const char* path) {
  return remove_at(AT_FDCWD, path, 0);
}

int remove_at(int parent, const char* name, int flags) {
  return pass({.what = act::remove, .fd = parent, .path = name, .flags = flags},
              [&] { return ::unlinkat(parent, name, flags); });
}

} // namespace forkfleet::disk
