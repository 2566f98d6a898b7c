// SPDX-License-Identifier: Apache-2.0
// Sizes and durations as people write them: 512MiB, 250ms. A number without
// a unit is refused, because nobody can tell which one was meant.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include <tl/expected.hpp>

#include "actors/schema/shape.hpp"

namespace forkfleet::schema {

/// What `parse_bytes` and `parse_duration` accept, for JSON Schema.
inline constexpr std::string_view bytes_pattern = "^[0-9]+(B|[KMGT]iB)$";
inline constexpr std::string_view duration_pattern =
  "^[0-9]+(ns|us|ms|s|min|h)$";

/// A whole number of B, KiB, MiB, GiB or TiB; up to 2^64-1 bytes.
tl::expected<uint64_t, fault> parse_bytes(std::string_view text);

/// The same number in the largest unit that divides it: 1536MiB, 0B.
std::string format_bytes(uint64_t bytes);

/// A whole number of ns, us, ms, s, min or h; up to 292 years. Never
/// negative.
tl::expected<std::chrono::nanoseconds, fault>
parse_duration(std::string_view text);

/// The same time in the largest unit that divides it: 90s, 0s. A negative one
/// has a minus sign, which `parse_duration` refuses.
std::string format_duration(std::chrono::nanoseconds time);

} // namespace forkfleet::schema
