// SPDX-License-Identifier: Apache-2.0
#include "node/firecracker/version_rules.hpp"

#include <charconv>

#include <fmt/format.h>

namespace forkfleet::firecracker {

namespace {

constexpr uint64_t gap_free_bytes = 3ull << 30;

// Takes a number, and a dot after it unless it is the last.
bool take_number(std::string_view& text, unsigned& number, bool is_last) {
  const auto* end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, number);
  if (read.ec != std::errc{})
    return false;
  text.remove_prefix(static_cast<std::size_t>(read.ptr - text.data()));
  if (is_last)
    return true;
  if (text.empty() || text.front() != '.')
    return false;
  text.remove_prefix(1);
  return true;
}

} // namespace

expected<vmm_version> parse_version(std::string_view text) {
  const auto whole = text;
  if (text.starts_with('v'))
    text.remove_prefix(1);
  auto result = vmm_version{};
  const bool is_read = take_number(text, result.major, false)
                       && take_number(text, result.minor, false)
                       && take_number(text, result.patch, true);
  if (!is_read || (!text.empty() && text.front() != '-' && text.front() != '+'))
    return fail(ec::unsupported,
                fmt::format("'{}' is no version of Firecracker", whole));
  return result;
}

std::string to_string(const vmm_version& x) {
  return fmt::format("{}.{}.{}", x.major, x.minor, x.patch);
}

bool is_same_line(const vmm_version& a, const vmm_version& b) {
  return a.major == b.major && a.minor == b.minor;
}

version_rules rules_of(const vmm_version& version) {
  auto rules = version_rules{};
  rules.keeps_memory_file = version >= vmm_version{1, 6, 0};
  rules.full_resets_tracking = version >= vmm_version{1, 8, 0};
  rules.diff_without_tracking = version >= vmm_version{1, 13, 0};
  rules.has_serial = version >= vmm_version{1, 14, 0};
  if (version >= vmm_version{1, 13, 0})
    rules.tracking_key = "track_dirty_pages";
  return rules;
}

std::string diff_obstacle(const vmm_version& version, uint64_t memory_bytes) {
  const bool is_damaging =
    version == vmm_version{1, 14, 0} || version == vmm_version{1, 14, 1};
  // The guest's memory has a hole below 4 GiB, and these lose count there.
  if (is_damaging && memory_bytes > gap_free_bytes)
    return fmt::format("Firecracker {} damages diffs of guests with more than "
                       "3 GiB; use 1.14.2 or later",
                       to_string(version));
  return {};
}

} // namespace forkfleet::firecracker
