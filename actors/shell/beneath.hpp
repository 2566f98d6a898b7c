// SPDX-License-Identifier: Apache-2.0
// A directory that is filled by somebody who may name anything: nothing is
// made outside of it, and no link is followed.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

#include "actors/error.hpp"
#include "actors/unique_fd.hpp"

namespace forkfleet::shell {

using path_parts = std::vector<std::string>;

/// How deep names may lie, and how long all of one may be.
inline constexpr std::size_t path_depth_max = 100;
inline constexpr std::size_t path_bytes_max = 4096;

/// The names that `path` is made of, without "." and empty ones.
/// invalid_request for an absolute path, one with "..", and one that is too
/// deep or too long.
expected<path_parts> parts_of(std::string_view path);

/// Whether a symbolic link that lies `depth` directories deep in a tree and
/// leads to `target` stays in the tree, whatever other such links are in it.
bool stays_within(std::string_view target, std::size_t depth);

/// One directory and what is made in it. Keeps descriptors of the place where
/// it was last. Errors name the path in it.
class beneath {
public:
  static expected<beneath> open(const std::string& path);

  /// The directory `parts`; it and those above it are made when they are not
  /// there. Valid until the next call.
  expected<int> directory(std::span<const std::string> parts);

  /// A new regular file, for writing. The umask takes its part of the mode.
  expected<unique_fd> create_file(std::span<const std::string> parts,
                                  mode_t mode);
  status create_symlink(std::span<const std::string> parts,
                        const std::string& target);
  /// Another name of a regular file that was made here.
  status create_link(std::span<const std::string> parts,
                     std::span<const std::string> target);

private:
  explicit beneath(unique_fd root) : root_{std::move(root)} {}

  expected<int> step(int parent, std::span<const std::string> parts);

  unique_fd root_;
  path_parts names_ = {};
  std::vector<unique_fd> open_ = {}; // of the directories names_
};

} // namespace forkfleet::shell
