// SPDX-License-Identifier: Apache-2.0
// Files here that are copied to a guest, or come from one.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <sys/types.h>

#include "actors/error.hpp"
#include "actors/unique_fd.hpp"

namespace forkfleet::shell {

/// A file that is read from its begin to its end, in pieces.
class local_file {
public:
  /// A regular file, or stdin for "-". invalid_request names what it is
  /// instead.
  static expected<local_file> open(const std::string& path);

  /// The next piece: of `bytes_max`, unless it is the last; empty at the end.
  /// cancelled when a signal comes while stdin has nothing.
  expected<std::string> read(std::size_t bytes_max) const;

  /// What others may do with it; no more than that.
  mode_t mode() const { return mode_; }

private:
  local_file(std::string path, unique_fd file, mode_t mode)
    : path_{std::move(path)}, file_{std::move(file)}, mode_{mode} {}

  std::string path_;
  unique_fd file_;
  mode_t mode_;
};

/// A file that has its name only when it is whole. Until then it is a hidden
/// one in the same directory, which its end removes.
class unfinished_file {
public:
  /// To become `path`, or `name` in it where it is a directory.
  static expected<unfinished_file> create(const std::string& path,
                                          const std::string& name);
  ~unfinished_file();
  unfinished_file(unfinished_file&& other) noexcept = default;
  unfinished_file& operator=(unfinished_file&&) = delete;

  /// Blocks of zeros become holes.
  status write(std::string_view bytes);

  /// Gives it its name, and what the umask leaves of the plain bits of `mode`.
  status finish(mode_t mode);

  /// Its name, once it is finished.
  const std::string& path() const { return path_; }
  /// Where it lies until then.
  const std::string& temporary() const { return temporary_; }

private:
  unfinished_file(std::string path, std::string temporary, unique_fd file)
    : path_{std::move(path)}, temporary_{std::move(temporary)}, file_{std::move(
                                                                  file)} {}

  std::string path_;
  std::string temporary_;
  unique_fd file_;
  uint64_t size_ = 0;
};

/// `path`, or `name` in it where it is a directory.
std::string target_path(const std::string& path, const std::string& name);

} // namespace forkfleet::shell
