// SPDX-License-Identifier: Apache-2.0
// How large each field of a manifest may be. A manifest may come from a
// stranger's archive, and what it says goes into lists, pages and logs: what
// is longer than a field can be is refused where the text is read, in an
// archive and in a directory alike, and before it is written. Pure. Knows no
// CAF.
#pragma once

#include <string>

#include "node/storage/manifest.hpp"

namespace forkfleet {

/// The most disks, and the most layers of one.
inline constexpr std::size_t sealed_disks_max = 32;
inline constexpr std::size_t sealed_layers_max = 64;

/// The most that a VMM's device state takes, without the guest's memory.
inline constexpr uint64_t vmstate_bytes_max = 1u << 30;

/// Of a contract: how many arguments and files, the longest of them, and all
/// its texts together.
inline constexpr std::size_t contract_arguments_max = 128;
inline constexpr std::size_t contract_files_max = 512;
inline constexpr std::size_t contract_text_max = 4096;
inline constexpr std::size_t contract_bytes_max = 64u << 10;

/// The first field that is longer or larger than it may be, or has characters
/// that no line of text has, in words without a subject; empty when none is.
std::string broken_limit(const snapshot_manifest& x);

/// Same, of a contract alone.
std::string broken_limit(const run_contract& x);

} // namespace forkfleet
