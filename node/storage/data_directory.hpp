// SPDX-License-Identifier: Apache-2.0
// A node's data directory: its layout, and the lock that makes it this
// process' own. Store, journal and records share one. Knows no CAF.
#pragma once

#include <memory>
#include <string>

#include "actors/directory_lock.hpp"
#include "actors/error.hpp"

namespace forkfleet {

/// The directory and everything in it belong to this process while an
/// object of this class lives. Directories that it makes have mode 0700.
class data_directory {
public:
  /// Makes what is missing and takes the lock. not_permitted when another
  /// node has it; io_failed names the path.
  static expected<std::shared_ptr<const data_directory>>
  open(const std::string& path);

  const std::string& path() const { return path_; }
  std::string snapshots() const { return path_ + "/snapshots"; }
  std::string staging() const { return path_ + "/staging"; }
  std::string operations() const { return path_ + "/operations"; }
  std::string sandboxes() const { return path_ + "/sandboxes"; }

  /// The file of the node's incarnation number; see durable_counter.
  std::string incarnation() const { return path_ + "/incarnation"; }

  /// What tells this directory from every other: 32 hexadecimal digits, made
  /// at random when they are first asked for, and durable. On a full disk they
  /// are good for this start only. io_failed names a file that cannot be read
  /// or holds something else.
  expected<std::string> identity() const;

private:
  data_directory(std::string path, directory_lock lock)
    : path_(std::move(path)), lock_(std::move(lock)) {}

  std::string path_;
  directory_lock lock_;
};

using data_directory_ptr = std::shared_ptr<const data_directory>;

} // namespace forkfleet
