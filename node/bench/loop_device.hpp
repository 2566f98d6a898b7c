// SPDX-License-Identifier: Apache-2.0
// A loop device over a file or over another block device. The kernel frees it
// when the last user is gone, however this process ends. Knows no CAF.
#pragma once

#include <string>

#include "actors/error.hpp"
#include "actors/unique_fd.hpp"

namespace forkfleet::bench {

/// Whether the lower side is read and written past the page cache.
enum class lower_io : unsigned char { cached, direct };

/// One device. Frees it when it is destroyed and nothing is mounted on it.
class loop_device {
public:
  /// Takes a free device. not_permitted without the rights to do so,
  /// unsupported where there is none.
  static expected<loop_device> attach(const std::string& lower, lower_io io);

  /// Such as "/dev/loop3", "loop3" and "7:3".
  const std::string& path() const { return path_; }
  std::string name() const { return path_.substr(5); }
  std::string number() const;

private:
  loop_device(std::string path, unique_fd fd)
    : path_(std::move(path)), fd_(std::move(fd)) {}

  std::string path_;
  unique_fd fd_; // the last user, when all mounts are gone
};

} // namespace forkfleet::bench
