// SPDX-License-Identifier: Apache-2.0
// The names of things, kept apart by the compiler. Knows no CAF.
#pragma once

#include <compare>
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace forkfleet {

/// A name of one kind, by `value`; empty: none. `Tag` has kind and length_max.
template <class Tag>
struct tagged_id {
  using tag_type = Tag;
  std::string value;

  bool empty() const { return value.empty(); }
  // NOLINTNEXTLINE(modernize-use-nullptr): clang-tidy 14 is wrong here.
  friend auto operator<=>(const tagged_id&, const tagged_id&) = default;
};

/// True for 1 to `length_max` characters of letters, digits, '-' and '_'.
/// Such a name is safe as a path segment and in a URL. A leading '-' is
/// refused: it would read as an option.
constexpr bool is_safe_name(std::string_view text, std::size_t length_max) {
  if (text.empty() || text.size() > length_max || text.front() == '-')
    return false;
  for (const char c : text) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    const bool digit = c >= '0' && c <= '9';
    if (!letter && !digit && c != '-' && c != '_')
      return false;
  }
  return true;
}

/// Whether `id` may be used. Every id that comes from outside is checked
/// before it touches a path.
template <class Tag>
bool is_valid(const tagged_id<Tag>& id) {
  return is_safe_name(id.value, Tag::length_max);
}

struct sandbox_id_tag {
  static constexpr std::string_view kind = "sandbox";
  static constexpr std::size_t length_max = 35;
};
struct snapshot_tag_tag {
  static constexpr std::string_view kind = "snapshot tag";
  static constexpr std::size_t length_max = 64;
};
struct host_name_tag {
  static constexpr std::string_view kind = "host";
  static constexpr std::size_t length_max = 63;
};
struct operation_id_tag {
  static constexpr std::string_view kind = "operation";
  static constexpr std::size_t length_max = 64;
};

/// A running VM, unique in the fleet.
using sandbox_id = tagged_id<sandbox_id_tag>;
/// The name of a sealed snapshot, unique in the fleet.
using snapshot_tag = tagged_id<snapshot_tag_tag>;
/// A host of the fleet, as the fleet file names it.
using host_name = tagged_id<host_name_tag>;
/// One request that changes something. Made by the client; a retry carries
/// the same one.
using operation_id = tagged_id<operation_id_tag>;

} // namespace forkfleet

template <class Tag>
struct std::hash<forkfleet::tagged_id<Tag>> {
  std::size_t operator()(const forkfleet::tagged_id<Tag>& id) const noexcept {
    return std::hash<std::string>{}(id.value);
  }
};
