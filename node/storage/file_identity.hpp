// SPDX-License-Identifier: Apache-2.0
// Which very file has a name, so that no other is removed in its place.
// Knows no CAF.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "actors/error.hpp"

namespace forkfleet {

/// The number of an inode is not enough: the kernel gives it to a later file,
/// and that of a network namespace to the very next one.
struct file_identity {
  uint64_t device = 0;
  uint64_t inode = 0;
  /// When it was made, in nanoseconds of Unix time; 0 where the file system
  /// does not keep it. A namespace's inode is made when it is first named.
  int64_t born = 0;

  friend bool operator==(const file_identity&, const file_identity&) = default;
};

/// Of what has this name, a symbolic link itself; none: nothing has it.
/// An error: that cannot be known.
expected<std::optional<file_identity>> identify(const std::string& path);

} // namespace forkfleet
