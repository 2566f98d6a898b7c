// SPDX-License-Identifier: Apache-2.0
// The fleet file's list of who is denied access, read again while the
// coordinator runs. All else in the file waits for the next start.
#pragma once

#include <cstdint>
#include <string>
#include <sys/types.h>
#include <vector>

namespace forkfleet {

/// Used by one thread.
class denial_watch {
public:
  /// `entries` are those of the file `path` as it is now.
  denial_watch(std::string path, std::vector<std::string> entries);

  /// Reads the file again when it is another one than last time, or when
  /// `is_asked`. True when the list has changed. A file that is wrong is
  /// logged, and the list stays.
  bool look(bool is_asked);

  const std::vector<std::string>& entries() const { return entries_; }

private:
  /// What tells one version of a file from the next.
  struct stamp {
    dev_t device = 0;
    ino_t inode = 0;
    off_t size = 0;
    int64_t changed_ns = 0;
    friend bool operator==(const stamp&, const stamp&) = default;
  };

  stamp stamp_of_file() const;

  std::string path_;
  std::vector<std::string> entries_;
  stamp seen_ = {};
};

} // namespace forkfleet
