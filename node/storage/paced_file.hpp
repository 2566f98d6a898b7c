// SPDX-License-Identifier: Apache-2.0
// Writes a large file in the background of everything else: no more of it
// than two windows is ever unwritten, and nothing is written while a guest
// stands still. Knows no CAF.
#pragma once

#include <string>

#include "node/pause_gate.hpp"
#include "node/snapshot_store.hpp"
#include "node/storage/write_debt.hpp"

namespace forkfleet {

/// Who is asked before more is written. Both may be empty.
struct pace {
  pause_gate_ptr gate = {};
  stop_asked stop = {};

  /// Returns when no guest stands still; interrupted when it should end.
  status wait() const;
};

/// The file `fd` belongs to the caller. Writes go from lower to higher
/// offsets. Used by one thread.
class paced_file {
public:
  static constexpr uint64_t window_bytes = 8u << 20;

  paced_file(int fd, std::string path, pace how,
             std::shared_ptr<write_debt> debt = {})
    : fd_{fd}, path_{std::move(path)}, pace_{std::move(how)}, debt_{std::move(
                                                                debt)} {}

  /// Waits as the pace says, then writes at most a window.
  status write(std::span<const uint8_t> bytes, uint64_t offset);

  /// Returns when all of it is on the disk.
  status sync();

private:
  struct window {
    uint64_t begin = 0;
    uint64_t end = 0;
    uint64_t written = 0;
  };

  status next_window(uint64_t offset);

  int fd_;
  std::string path_;
  pace pace_;
  debt_share debt_;
  window now_ = {};
  window before_ = {};
};

} // namespace forkfleet
