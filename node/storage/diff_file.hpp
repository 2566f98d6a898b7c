// SPDX-License-Identifier: Apache-2.0
// Reads a memory.diff. Strict: a file that breaks the grammar of
// node/storage/diff_format.hpp anywhere outside of its data does not open.
// Knows no CAF.
#pragma once

#include <string>

#include "actors/unique_fd.hpp"
#include "node/storage/diff_format.hpp"

namespace forkfleet {

/// An open memory.diff. Its data is not looked at until somebody asks.
struct diff_file {
  unique_fd fd = {};
  std::string path = {};
  diff_table table = {};
};

/// Opens and checks one. io_failed; snapshot_corrupt names the place.
expected<diff_file> open_diff(const std::string& path);

/// Compares the data with its digests. snapshot_corrupt names the first
/// extent that differs; interrupted when `stop` says so.
status verify_data(const diff_file& file, const std::function<bool()>& stop);

} // namespace forkfleet
