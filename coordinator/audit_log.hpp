// SPDX-License-Identifier: Apache-2.0
// The coordinator's audit log: JSON lines in files of mode 0600 that are only
// appended to. Written by a thread of its own, synced after each batch.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "actors/audit_record.hpp"

namespace forkfleet {

struct audit_limits {
  /// A file that has grown to this is renamed: `path`.1 is the newest of the
  /// old ones.
  uint64_t file_bytes_max = 16u << 20;
  /// Files at most, the one that grows included.
  std::size_t files_max = 8;
  /// Lines that wait to be written; further ones are counted and dropped,
  /// and the count is written.
  std::size_t waiting_max = 4096;
};

/// Safe from any thread.
class audit_log {
public:
  /// Opens or makes the file. A line that was half written when the power
  /// failed is ended. Errors: io_failed.
  static expected<std::unique_ptr<audit_log>> open(const std::string& path,
                                                   const audit_limits& limits);
  /// Writes what waits, and ends the thread.
  ~audit_log();
  audit_log(const audit_log&) = delete;
  audit_log& operator=(const audit_log&) = delete;

  /// Never blocks on the disk.
  void write(audit_record line);

private:
  class impl;
  explicit audit_log(std::unique_ptr<impl> made);
  std::unique_ptr<impl> impl_;
};

/// `text`, cut to what a line may hold of one field.
std::string audit_text(std::string text);

} // namespace forkfleet
