// SPDX-License-Identifier: Apache-2.0
// Places on the disk for storage tests: a directory that is removed, and a
// small file system of a chosen kind in a mount namespace of the test's own,
// which leaves no mount behind even when the test is killed.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "actors/error.hpp"

namespace forkfleet::test {

/// A fresh directory, removed with everything in it.
class scratch_directory {
public:
  scratch_directory();
  ~scratch_directory();
  scratch_directory(const scratch_directory&) = delete;

  const std::string& path() const { return path_; }

private:
  std::string path_;
};

/// What the file system of a `scratch_disk` is.
enum class disk_kind : uint8_t {
  tmpfs,
  ext4,                 // with a journal
  xfs,                  // files can be cloned
  btrfs,                // same
  ext4_without_extents, // fallocate(2) is not supported there
};

std::string to_string(disk_kind x);

/// A mounted file system. Needs root and, but for tmpfs, loop devices.
class scratch_disk {
public:
  /// not_permitted where this machine does not let us.
  static expected<std::unique_ptr<scratch_disk>> make(disk_kind kind,
                                                      uint64_t bytes);
  ~scratch_disk();
  scratch_disk(const scratch_disk&) = delete;

  const std::string& path() const { return path_; }

  /// From here on nothing can be written.
  status make_readonly();

private:
  scratch_disk() = default;
  status mount(disk_kind kind, uint64_t bytes);

  scratch_directory home_;
  std::string path_;
};

/// From here on mounts of this process are its own: they end with it.
status have_own_mounts();

/// Runs a program to its end, silently. io_failed unless it exits with 0.
status run_program(const std::string& command);

} // namespace forkfleet::test
