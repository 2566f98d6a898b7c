// SPDX-License-Identifier: Apache-2.0
// Small files that survive kill -9 and the power failing: what both the
// node and the coordinator must remember. Knows no CAF.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "actors/error.hpp"

namespace forkfleet {

/// The most that `read_small_file` takes unless told otherwise.
inline constexpr std::size_t small_file_max = 1u << 20;

/// What a temporary file beside its target ends in. One that is left lying
/// was never finished and may be removed.
inline constexpr std::string_view unfinished_suffix = ".unfinished";

/// Replaces `path` by `content`, mode 0600: after a crash the file holds all
/// of the old content or all of the new. Returns when the new one is on the
/// disk. After an error the old file stands.
status write_durably(const std::string& path, std::string_view content);

/// The content of a regular file; a symbolic link is refused. io_failed
/// when it is longer than `bytes_max`.
expected<std::string> read_small_file(const std::string& path,
                                      std::size_t bytes_max = small_file_max);

/// Returns when the names in the directory `path` are on the disk.
status sync_directory(const std::string& path);

/// Makes the directory `path` with mode 0700 unless it exists; its parent
/// must exist. io_failed when something else has its name.
status make_directory(const std::string& path);

/// Same, with all its parents; those that exist are left as they are. The
/// names of what was made are on the disk when it returns.
status make_directories(const std::string& path);

} // namespace forkfleet
