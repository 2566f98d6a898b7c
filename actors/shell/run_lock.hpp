// SPDX-License-Identifier: Apache-2.0
// Says which process keeps a fleet up on this machine. A record lock: the
// kernel itself tells who holds it, and it ends with its holder.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "actors/error.hpp"
#include "actors/unique_fd.hpp"

namespace forkfleet::shell {

/// Makes a fleet's state directory, readable by its owner alone, if it is
/// missing.
status make_state_directory(const std::string& state);

/// The lock of one fleet, `<state>/up.lock`, held until this ends. Its file
/// tells people what was started; nobody decides by that. A process must
/// not open the file a second time: closing that would end the lock.
class run_lock {
public:
  /// Makes the directory if it is missing and takes the lock. Empty when
  /// another process holds it.
  static expected<std::optional<run_lock>> take(const std::string& state);

  /// Replaces the file's text: one line for each program, "name pid".
  void describe(const std::vector<std::string>& lines) const;

private:
  explicit run_lock(unique_fd file) : file_{std::move(file)} {}

  unique_fd file_;
};

/// The process that holds the lock of the fleet in `state`; 0 for none. Not
/// for the holder itself. io_failed, not_permitted: nobody knows whether one
/// does.
expected<int> lock_holder(const std::string& state);

/// What the lock's file says, without empty lines. Not for the holder.
std::vector<std::string> lock_text(const std::string& state);

/// A descriptor of the process that holds the lock: it stays that process'
/// even when its pid is used again. Empty when nobody holds it; errors as
/// above.
expected<unique_fd> open_lock_holder(const std::string& state);

} // namespace forkfleet::shell
