// SPDX-License-Identifier: Apache-2.0
// Structs with a field table to JSON and back. Strict: what the table does
// not allow is refused, and all that is wrong is told at once.
#pragma once

#include <string>
#include <vector>

#include "actors/error.hpp"
#include "actors/schema/json_text.hpp"
#include "actors/schema/shape.hpp"

namespace forkfleet::schema {

/// The most problems that one failure names.
inline constexpr std::size_t json_problems_max = 20;

struct json_options {
  /// The value comes from a script: fields of access::internal are refused,
  /// and so are negative durations.
  bool script = false;
};

/// The value at `x`, which is of the type that `shape` describes.
json encode(const type_shape& shape, const void* x);

/// Sets what `value` gives and leaves the rest of `x` alone. Returns what is
/// wrong, each as "$.path: message (hint)"; `x` is then half set.
std::vector<std::string> decode(const type_shape& shape, const json& value,
                                void* x, json_options options = {});

/// All of `problems` as one invalid_request.
failure to_failure(const std::vector<std::string>& problems);

/// All fields of `x`. Durations are counts of their own unit, enums and ids
/// are their names.
template <described T>
json to_json(const T& x) {
  return encode(shape_of<T>(), &x);
}

/// The struct that `value` stands for; what it omits has its default. The
/// failure is invalid_request and names every problem with its path.
template <described T>
expected<T> from_json(const json& value, json_options options = {}) {
  T result{};
  const auto problems = decode(shape_of<T>(), value, &result, options);
  if (!problems.empty())
    return tl::unexpected<failure>(to_failure(problems));
  return result;
}

} // namespace forkfleet::schema
