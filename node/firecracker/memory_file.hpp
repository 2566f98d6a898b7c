// SPDX-License-Identifier: Apache-2.0
// What Firecracker wrote into a memory file, by the file's own extents: of a
// diff they are the pages that changed.
#pragma once

#include <cstdint>
#include <vector>

#include "node/memory_image.hpp"
#include "node/vmm.hpp"

namespace forkfleet::firecracker {

/// Whether the file system of `fd` tells space that was reserved from what was
/// written into it. Where it does not, no space may be reserved in a file
/// whose extents are to be believed.
bool tells_written_extents(int fd);

/// What was written of the first `bytes` of the file, in whole pages, in
/// order. Space that was only reserved is no part of it. io_failed when it
/// cannot be told.
expected<std::vector<memory_range>> written_extents(int fd, uint64_t bytes);

/// Hands all that was written of the first `bytes` of the file to `sink`; pages
/// of zeros as such. Returns how many bytes they were. Errors: the sink's,
/// io_failed, deadline_exceeded.
expected<uint64_t> drain_extents(int fd, uint64_t bytes, memory_sink& sink,
                                 deadline_point until);

/// Copies all of a file to the start of another; -1: only reads it. Returns
/// its size. Errors: disk_full, io_failed, deadline_exceeded.
expected<uint64_t> copy_file(int from, int to, deadline_point until);

} // namespace forkfleet::firecracker
