// SPDX-License-Identifier: Apache-2.0
// One YAML scalar to one value. Stricter than YAML: nothing is what it does
// not look like, and what two readers could read differently is refused.
// Knows neither CAF nor yaml-cpp.
#pragma once

#include <string>
#include <string_view>

#include <tl/expected.hpp>

#include "actors/schema/shape.hpp"

namespace forkfleet::config {

/// A scalar as it stands in the file.
struct yaml_scalar {
  std::string text = {};
  bool quoted = false;   // by quotes, as a block, or by !!str
  bool replaced = false; // holds something from the environment
};

/// What `text` would be to some YAML reader if it stood there without quotes:
/// "null", "a boolean", "a number"; or "" for text.
std::string_view plain_reading(std::string_view text);

/// The value of `given` for a scalar type, for `type_shape::write`.
tl::expected<schema::scalar, schema::fault>
read_scalar(const schema::type_shape& shape, const yaml_scalar& given);

} // namespace forkfleet::config
