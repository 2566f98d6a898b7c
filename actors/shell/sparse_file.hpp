// SPDX-License-Identifier: Apache-2.0
// Files with holes: blocks of zeros are not written, so that they take no
// room.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "actors/error.hpp"

namespace forkfleet::shell {

/// Whether there is nothing but zeros in it.
bool is_zero(std::string_view bytes);

/// Writes `bytes` at `offset` of a new file, without its whole blocks of
/// zeros. The caller gives the file its size in the end. Errors name `what`.
status write_sparse(int fd, uint64_t offset, std::string_view bytes,
                    const std::string& what);

/// The runs of a file that hold data: the next one from `offset` on.
struct data_run {
  uint64_t begin = 0;
  uint64_t end = 0; // the same: there is none
};
/// Where the file system knows no holes all of the file is one run.
data_run next_data(int fd, uint64_t offset, uint64_t size);

} // namespace forkfleet::shell
