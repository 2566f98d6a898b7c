// SPDX-License-Identifier: Apache-2.0
// A number of bytes, as the fleet file and the command line write it. Knows
// no CAF.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "actors/schema/fields.hpp"
#include "actors/schema/shape.hpp"

namespace forkfleet::config {

/// A number of bytes; in YAML with a unit: 512MiB, 2GiB, 4096B.
struct byte_size {
  uint64_t value = 0;
  friend auto operator<=>(const byte_size&, const byte_size&) = default;
};

schema::notation_about notation_of(const byte_size&);
std::string to_text(const byte_size& x);
schema::fault from_text(std::string_view text, byte_size& x);

} // namespace forkfleet::config
