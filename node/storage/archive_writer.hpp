// SPDX-License-Identifier: Apache-2.0
// Writes the archive of a snapshot: a tar file (pax, sparse) under zstd, as
// any tar program reads it. Knows no CAF.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "actors/unique_fd.hpp"
#include "node/memory_image.hpp"

struct archive;

namespace forkfleet {

/// One file of an archive.
struct archive_member {
  std::string name = {};
  uint64_t bytes = 0;
  int64_t seconds = 0; // its time, Unix
  /// Where it holds data, when not everywhere; the rest is zeros.
  std::vector<memory_range> data = {};
};

/// An archive in the making. Nothing is on the disk for sure before `end`.
class archive_writer {
public:
  /// Makes the file, which must not be there.
  static expected<std::unique_ptr<archive_writer>> make(std::string path);
  ~archive_writer();

  /// Begins the next file; all of its bytes follow by `add`, in order.
  status begin(const archive_member& member);
  status add(std::span<const uint8_t> bytes);

  /// Begins and adds one at once.
  status put(const std::string& name, int64_t seconds, std::string_view text);

  /// Ends and syncs it. Returns its size.
  expected<uint64_t> end();

  /// Writes the archive's next bytes, or remembers why not; for the library's
  /// use.
  void take(std::span<const uint8_t> bytes);

private:
  explicit archive_writer(std::string path) : path_{std::move(path)} {}
  status fail_here(const char* what);

  std::string path_;
  unique_fd fd_ = {};
  archive* archive_ = nullptr;
  uint64_t written_ = 0;
  failure error_ = {};   // of the first write that failed; none follows it
  bool is_over_ = false; // what the library still writes is dropped
};

} // namespace forkfleet
