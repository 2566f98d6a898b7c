// SPDX-License-Identifier: Apache-2.0
// The file that holds what a VM printed, kept from filling the disk: its
// front is given back to the file system, and what is left keeps its place. So
// nobody stands between the VM and its file, and every offset stays true. Knows
// no CAF.
#pragma once

#include <cstdint>
#include <string>

#include "actors/error.hpp"

namespace forkfleet {

/// What is kept when nobody says.
inline constexpr uint64_t console_bytes_usual = 16ull << 20;

/// Where what is kept of the open file begins: at its first byte that the disk
/// still holds, or at its end.
uint64_t ring_begin(int file, uint64_t size);

/// Gives back what is before the last `keep` bytes, if that is enough to be
/// worth it: never so much that less than `keep` is left. The file holds at
/// most `keep` and an eighth afterwards. Correct when there is no file. Never
/// follows a link. unsupported: the file system cannot do it.
status trim_ring(const std::string& path, uint64_t keep);

} // namespace forkfleet
