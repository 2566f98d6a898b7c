// SPDX-License-Identifier: Apache-2.0
// Who asks, and what he may ask. Structs only; knows neither CAF nor
// sockets.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "actors/schema/fields.hpp"

namespace forkfleet {

/// What a client may do. Each may do what the one before it may.
enum class access_role : uint8_t {
  /// Nothing: a peer that makes no requests, or one that nothing is known of.
  none,
  /// Looks: lists, events, what is known of a snapshot, consoles.
  viewer,
  /// Works with sandboxes and snapshots, and ends operations of its own.
  operate,
  /// Everything: imports, repairs, and ends operations of others.
  admin,
};

constexpr auto enum_table(access_role) {
  using enum access_role;
  return std::to_array<schema::enum_entry<access_role>>({
    {none, "none"},
    {viewer, "viewer", "looks at everything and changes nothing"},
    {operate, "operator",
     "works with sandboxes and snapshots, and ends its own operations"},
    {admin, "admin", "everything"},
  });
}

/// The role of this name; `none` for any other text, also for "none".
constexpr access_role access_role_of(std::string_view name) {
  for (const auto& entry : enum_table(access_role{}))
    if (entry.name == name)
      return entry.value;
  return access_role::none;
}

/// Who is at the other end of a connection, as far as it was proved.
struct access_subject {
  /// "client:ann" and "node:h1" by certificate, "token:bob" by a token,
  /// "uid:0" by the kernel's word. Empty: nobody.
  std::string name = {};
  /// The certificate's serial number in upper case hex; else empty.
  std::string serial = {};
  access_role role = access_role::none;

  friend bool operator==(const access_subject&,
                         const access_subject&) = default;
};

/// The longest text that `text_of` makes.
inline constexpr std::size_t subject_text_max = 128;

/// "client:ann#0A1B": the name, and the serial number where there is one.
inline std::string text_of(const access_subject& x) {
  auto text = x.serial.empty() ? x.name : x.name + '#' + x.serial;
  return text.substr(0, subject_text_max);
}

/// The name in what `text_of` made: the same person with a renewed
/// certificate is still the same.
constexpr std::string_view name_in(std::string_view subject) {
  return subject.substr(0, subject.find('#'));
}

} // namespace forkfleet
