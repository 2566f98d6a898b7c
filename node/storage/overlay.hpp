// SPDX-License-Identifier: Apache-2.0
// Lays the runs of a diff over the segments below it. Pure. Knows no CAF.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "node/memory_image.hpp"
#include "node/storage/diff_format.hpp"

namespace forkfleet {

/// The segments of a flat image in file 0.
std::vector<memory_segment> flat_segments(uint64_t memory_bytes);

/// What is seen when `runs`, whose data lies in file number `file`, hide what
/// is `below`. Segments stay sorted, cover all, and neighbours that could be
/// one are one.
std::vector<memory_segment> overlay(std::span<const memory_segment> below,
                                    std::span<const diff_run> runs,
                                    std::size_t file);

} // namespace forkfleet
