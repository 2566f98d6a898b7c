// SPDX-License-Identifier: Apache-2.0
// Draft-07 JSON Schema out of the field tables: what editors, scripts and CI
// check against is what our own decoders accept.
#pragma once

#include "actors/schema/json_text.hpp"
#include "actors/schema/shape.hpp"

namespace forkfleet::schema {

struct json_schema_options {
  /// Describe the YAML form: durations are text with a unit, ids must not be
  /// empty, and every scalar may hold `${NAME}`.
  bool yaml = false;
  /// Leave out what scripts may not set.
  bool script = false;
};

/// The schema of `shape` as a document of its own.
json json_schema(const type_shape& shape, json_schema_options options = {});

/// The schema of `T`, with the defaults of a `T` that nobody has touched.
template <described T>
json json_schema(json_schema_options options = {}) {
  return json_schema(shape_of<T>(), options);
}

} // namespace forkfleet::schema
