// SPDX-License-Identifier: Apache-2.0
// Space for a snapshot before its guest is paused, by fallocate(2). Never by
// posix_fallocate: where the file system cannot reserve, glibc writes into
// every block instead. Knows no CAF.
#pragma once

#include <cstdint>
#include <string>

#include "actors/error.hpp"
#include "node/snapshot_store.hpp"

namespace forkfleet {

/// How a file's space is asked for.
enum class reserve_shape : uint8_t {
  /// The file has its final size at once: memory.bin. Nobody may truncate
  /// it afterwards; that would throw the reserved extents away.
  exact,
  /// Space for at most so much, the size grows as it is written: vmstate,
  /// manifest. `give_back` returns what was too much.
  at_most,
};

/// What one fallocate(2) came to; `error` is its errno, or 0.
struct reserve_result {
  reserve_outcome outcome = reserve_outcome::not_tried;
  int error = 0;
};

/// Reserves `bytes` of the empty file `fd`. After no_space, quota or an
/// error the caller unlinks the file: ext4 keeps what it had allocated. An
/// errno that is none of these leaves `not_tried`.
reserve_result reserve(int fd, uint64_t bytes, reserve_shape shape);

/// Frees what an `at_most` file has beyond its first `bytes`. io_failed
/// when fewer were written. `path` is for the message.
status give_back(int fd, uint64_t bytes, const std::string& path);

/// Bytes that this process can still write to the file system of `path`.
expected<uint64_t> available_bytes(const std::string& path);

/// The name of the file system of `path`, such as ext4; "unknown" when it
/// cannot be told.
std::string file_system_of(const std::string& path);

} // namespace forkfleet
