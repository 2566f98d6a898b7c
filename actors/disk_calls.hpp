// SPDX-License-Identifier: Apache-2.0
// The system calls that change what is on a disk, each as a function that
// means what its namesake in the manual does: -1 and errno on failure. All
// that a node keeps goes through here, where a watch can count the calls,
// record them, and break them. Knows no CAF.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <sys/types.h>

namespace forkfleet::disk {

/// What a call does.
enum class act : uint8_t {
  make_directory,
  create, // open(2) with O_CREAT
  write,
  truncate,
  allocate,
  clone,
  write_out, // sync_file_range(2): a hint, not a promise
  sync,
  rename,
  link,
  remove,
};

/// The offset of a write that goes to the file's own position.
inline constexpr uint64_t at_position = ~uint64_t{0};

/// One call, as a watch sees it; what does not apply is left out.
struct call {
  act what = act::write;
  int fd = -1;                // the file; of remove: where `path` begins
  std::string_view path = {}; // what is made, renamed, linked or removed
  std::string_view to = {};   // its new name
  const void* data = nullptr; // what is written
  uint64_t offset = 0;
  uint64_t bytes = 0; // of truncate: the new size
  int source = -1;    // of clone
  int flags = 0;      // of open, fallocate, renameat2, unlinkat
};

/// Sees every call. Called by all threads that make calls.
class watch {
public:
  virtual ~watch() = default;

  /// Before the call. 0 lets it happen; any other value is the errno that
  /// it fails with, without happening.
  virtual int before(const call& x) = 0;

  /// After a call that happened; `result` as it returns.
  virtual void after(const call& x, int64_t result) = 0;
};

/// From here on `x` sees the calls, which must be in progress on no other
/// thread; nullptr: nobody does. At first it is what the environment asks
/// for (actors/fault.hpp), as a rule nobody, and a call costs one load more.
void watch_by(watch* x);

int make_directory(const char* path, mode_t mode);
/// Without O_CREAT in `flags` it changes nothing, and no watch sees it.
int open(const char* path, int flags, mode_t mode);
ssize_t write(int fd, const void* data, std::size_t bytes);
ssize_t write_at(int fd, const void* data, std::size_t bytes, uint64_t offset);
int truncate(int fd, uint64_t bytes);
/// fallocate(2).
int allocate(int fd, int mode, uint64_t offset, uint64_t bytes);
/// FICLONE: all of `source` becomes the content of `fd`, sharing its blocks.
int clone(int fd, int source);
/// sync_file_range(2).
int write_out(int fd, uint64_t offset, uint64_t bytes, unsigned flags);
/// fdatasync(2), and fsync(2); both go on after a signal.
int sync_data(int fd);
int sync_all(int fd);
/// renameat2(2) of two paths.
int rename(const char* from, const char* to, unsigned flags = 0);
/// link(2): one more name for a file.
int link(const char* from, const char* to);
int remove(const char* path);
/// unlinkat(2).
int remove_at(int parent, const char* name, int flags);

} // namespace forkfleet::disk
