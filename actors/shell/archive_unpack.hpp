// SPDX-License-Identifier: Apache-2.0
// A guest's tar archive as a directory here. The guest may have put anything
// into it: what is made are files, directories and links, the caller's own,
// beneath one directory, and no more than is allowed.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "actors/shell/beneath.hpp"

namespace forkfleet::shell {

/// How much one archive may become. A hole counts as what it stands for.
struct unpack_limits {
  uint64_t bytes_max = uint64_t{256} << 30;
  uint64_t entries_max = 1'000'000;
};

/// What was made.
struct unpacked {
  uint64_t bytes = 0;
  uint64_t entries = 0;
  /// What has no place here: devices, sockets, links that lead out. So many,
  /// and the first few of them, with the reason.
  uint64_t left_out = 0;
  std::vector<std::string> examples = {};
  /// What the directories get when all is in its place, less the umask: those
  /// within, and the one that was asked for.
  std::vector<std::pair<path_parts, mode_t>> modes = {};
  mode_t root_mode = 0777;
};

/// Unpacks the entries of `archive`, all of which must lie in the directory
/// `name`, into the directory `place`. vmm_refused names the entry that lies
/// elsewhere or the limit; cancelled when `is_stopped`. After an error the
/// caller removes what is there.
expected<unpacked> unpack(const std::string& archive, const std::string& name,
                          const std::string& place, const unpack_limits& limits,
                          const std::function<bool()>& is_stopped);

/// Gives the directories within their modes. What was asked for gets its own
/// when it has its name.
status give_modes(const unpacked& what, const std::string& place);
status give_root_mode(const unpacked& what, const std::string& path);

} // namespace forkfleet::shell
