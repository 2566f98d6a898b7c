// SPDX-License-Identifier: Apache-2.0
// The image of the disk that the example guest reads with `ff.direct`.
#pragma once

#include <cstdint>
#include <string>

#include "actors/error.hpp"

namespace forkfleet::guest {

/// Writes a raw image of which every 8-byte word is the number of its block
/// of 4096 bytes. `bytes` is a multiple of 2 MiB. io_failed names the file.
status make_numbered_image(const std::string& path, uint64_t bytes);

} // namespace forkfleet::guest
