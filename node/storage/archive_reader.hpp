// SPDX-License-Identifier: Apache-2.0
// Reads the archive of a snapshot, which a stranger may have made: only the
// files that are asked for, in this order, and never more than was allowed
// before, however well it was packed. Knows no CAF.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>

#include "actors/error.hpp"
#include "actors/unique_fd.hpp"

struct archive;
struct archive_entry;

namespace forkfleet {

/// What the header of a file in an archive says.
struct archive_header {
  uint64_t bytes = 0;
  uint64_t data_bytes = 0; // without the holes
};

/// An open archive. Every error names its path. snapshot_corrupt: it is not
/// one that a snapshot was exported to.
class archive_reader {
public:
  static expected<std::unique_ptr<archive_reader>> open(std::string path);

  /// Same, of bytes that outlive it; `name` is for messages.
  static expected<std::unique_ptr<archive_reader>>
  of_bytes(std::span<const uint8_t> bytes, std::string name);
  ~archive_reader();

  /// Goes to the next file, which must have this name and be a plain one of
  /// at most `bytes_max`.
  expected<archive_header> next(const std::string& name, uint64_t bytes_max);

  /// Same, where there may be no such file: false at the archive's end.
  expected<bool> next_if_any(const std::string& name, uint64_t bytes_max);

  /// Gives the data of the file piece by piece, upwards, without the holes.
  status
  read(const std::function<status(uint64_t, std::span<const uint8_t>)>& take);

  /// Same, all of a small one.
  expected<std::string> read_text();

  /// Nothing must follow.
  status end();

  /// The archive file's size.
  uint64_t file_bytes() const { return file_bytes_; }

  /// Unpacks the next bytes, as far as allowed; for the library's use. -1
  /// after an error.
  long unpack(const void** data);

private:
  explicit archive_reader(std::string path) : path_{std::move(path)} {}
  status begin(std::span<const uint8_t> bytes); // empty: of the open file
  status check_entry(archive_entry* entry, const std::string& name,
                     uint64_t bytes_max) const;
  status corrupt(const std::string& why) const;
  status fail_here();

  std::string path_;
  unique_fd fd_ = {};
  uint64_t file_bytes_ = 0;
  archive* packed_ = nullptr; // from the file to the tar's bytes
  archive* tar_ = nullptr;    // from those to files
  uint64_t allowed_bytes_ = 0;
  bool went_too_far_ = false;
  bool is_at_end_ = false; // there was no next file
  archive_header header_ = {};
  std::vector<uint8_t> buffer_ = {};
};

} // namespace forkfleet
