// SPDX-License-Identifier: Apache-2.0
// What each version of Firecracker can do, does wrong, and calls by another
// name. Pure: decides on numbers alone.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "actors/error.hpp"

namespace forkfleet::firecracker {

/// A version as GET /version tells it.
struct vmm_version {
  unsigned major = 0;
  unsigned minor = 0;
  unsigned patch = 0;

  friend auto operator<=>(const vmm_version&, const vmm_version&) = default;
};

/// Reads "1.12.0", also with a suffix such as "-dev"; unsupported otherwise.
expected<vmm_version> parse_version(std::string_view text);
std::string to_string(const vmm_version& x);

/// Snapshots are tied to the line, major and minor, that wrote them.
bool is_same_line(const vmm_version& a, const vmm_version& b);

/// The oldest version that is driven at all.
inline constexpr vmm_version version_min{1, 1, 0};

/// What follows from a version.
struct version_rules {
  /// A memory file that has exactly the memory's size is written into as it
  /// is: its extents and its content stay, and a diff merges into it.
  bool keeps_memory_file = false;
  /// A full snapshot ends the tracking before it; else the next diff
  /// repeats all pages.
  bool full_resets_tracking = false;
  /// A diff is allowed without tracking, and then holds all that is resident.
  bool diff_without_tracking = false;
  /// PUT /serial exists.
  bool has_serial = false;
  /// How /snapshot/load is told to track.
  const char* tracking_key = "enable_diff_snapshots";
};

version_rules rules_of(const vmm_version& version);

/// Why a diff of a guest of that much memory cannot be trusted; empty when
/// it can.
std::string diff_obstacle(const vmm_version& version, uint64_t memory_bytes);

} // namespace forkfleet::firecracker
