// SPDX-License-Identifier: Apache-2.0
#include "node/qemu/memory_map.hpp"

#include <algorithm>
#include <charconv>
#include <optional>
#include <sstream>
#include <string_view>

#include <fmt/format.h>

namespace forkfleet::qemu {

namespace {

uint64_t hex_number(std::string_view text) {
  uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value, 16);
  return value;
}

bool is_of_file(const std::string& path, const std::string& wanted) {
  return path == wanted || path == wanted + " (deleted)";
}

// The mapping that holds `address`; null when there is none.
const mapping* mapping_at(const std::vector<mapping>& mappings,
                          uint64_t address) {
  const auto found = std::upper_bound(
    mappings.begin(), mappings.end(), address,
    [](uint64_t x, const mapping& candidate) { return x < candidate.end; });
  return found != mappings.end() && found->begin <= address ? &*found : nullptr;
}

// Whether `where`, a part of a mapping, shows that part of the segment.
bool shows(const mapping& where, uint64_t address, const memory_layout& layout,
           const memory_segment& segment, uint64_t offset) {
  if (!where.is_private || !where.is_writable)
    return false;
  if (!segment.file)
    return where.path.empty();
  return is_of_file(where.path, layout.files[*segment.file])
         && where.offset + (address - where.begin) == segment.offset + offset;
}

} // namespace

std::vector<mapping> read_mappings(const std::string& maps) {
  auto result = std::vector<mapping>{};
  auto lines = std::istringstream{maps};
  auto line = std::string{};
  while (std::getline(lines, line)) {
    auto fields = std::istringstream{line};
    std::string range;
    std::string rights;
    std::string offset;
    std::string skipped;
    fields >> range >> rights >> offset >> skipped >> skipped >> std::ws;
    auto found = mapping{};
    std::getline(fields, found.path);
    const auto dash = range.find('-');
    if (dash == std::string::npos || rights.size() < 4)
      continue;
    found.begin = hex_number(std::string_view{range}.substr(0, dash));
    found.end = hex_number(std::string_view{range}.substr(dash + 1));
    found.is_writable = rights.starts_with("rw");
    found.is_private = rights[3] == 'p';
    found.offset = hex_number(offset);
    result.push_back(std::move(found));
  }
  return result;
}

std::vector<uint64_t> find_memory(const std::vector<mapping>& mappings,
                                  uint64_t bytes, const std::string& path) {
  auto result = std::vector<uint64_t>{};
  for (const auto& x : mappings)
    if (x.is_writable && x.end - x.begin == bytes
        && (path.empty() || is_of_file(x.path, path)))
      result.push_back(x.begin);
  return result;
}

bool is_mapped(const std::vector<mapping>& mappings, uint64_t begin,
               uint64_t bytes) {
  for (auto next = begin; next < begin + bytes;) {
    const auto* where = mapping_at(mappings, next);
    if (!where || !where->is_writable)
      return false;
    next = where->end;
  }
  return true;
}

memory_kind kind_of_memory(const std::vector<mapping>& mappings, uint64_t begin,
                           uint64_t bytes) {
  auto result = memory_kind::private_anonymous;
  for (auto next = begin; next < begin + bytes;) {
    const auto* where = mapping_at(mappings, next);
    if (!where || !where->is_private)
      return memory_kind::shared;
    // A name that a process gives to its own memory.
    if (!where->path.empty() && !where->path.starts_with("[anon:"))
      result = memory_kind::private_file;
    next = where->end;
  }
  return result;
}

namespace {

// Whether the memory at `begin` is as the layout says.
status check_layout(const std::vector<mapping>& mappings, uint64_t begin,
                    const memory_layout& layout) {
  for (const auto& segment : layout.segments)
    for (uint64_t done = 0; done < segment.bytes;) {
      const auto address = begin + segment.address + done;
      const auto* where = mapping_at(mappings, address);
      if (!where || !shows(*where, address, layout, segment, done))
        return fail(ec::snapshot_corrupt,
                    fmt::format("guest memory at {:#x} is not what the "
                                "snapshot's chain has there",
                                segment.address + done));
      done += std::min(where->end - address, segment.bytes - done);
    }
  return {};
}

// Where memory begins if this mapping shows the segment; nothing if it cannot.
std::optional<uint64_t> begin_by(const mapping& x, const memory_layout& layout,
                                 const memory_segment& segment) {
  if (!is_of_file(x.path, layout.files[*segment.file])
      || x.offset > segment.offset
      || segment.offset - x.offset >= x.end - x.begin)
    return {};
  return x.begin + (segment.offset - x.offset) - segment.address;
}

} // namespace

expected<uint64_t> find_layout(const std::vector<mapping>& mappings,
                               const memory_layout& layout) {
  const auto segment =
    std::find_if(layout.segments.begin(), layout.segments.end(),
                 [](const memory_segment& x) { return x.file.has_value(); });
  auto last = failure{ec::snapshot_corrupt,
                      "the snapshot's memory is not mapped in QEMU"};
  if (segment == layout.segments.end())
    return tl::unexpected(last);
  for (const auto& x : mappings)
    if (const auto begin = begin_by(x, layout, *segment)) {
      const auto checked = check_layout(mappings, *begin, layout);
      if (checked)
        return *begin;
      last = checked.error();
    }
  return tl::unexpected(last);
}

} // namespace forkfleet::qemu
