// SPDX-License-Identifier: Apache-2.0
// Records with a field table as CSV. Pure.
#pragma once

#include <string>
#include <vector>

#include "actors/schema/json.hpp"

namespace forkfleet::bench {

/// The values of `records`, a line each after a line of names. `records` is
/// an array of objects with the same keys; a text with a comma, a quote or a
/// line break is quoted.
std::string csv_of(const schema::json& records);

/// `records` as an array of objects.
template <schema::described T>
schema::json json_of(const std::vector<T>& records) {
  auto result = schema::json::array();
  for (const auto& x : records)
    result.push_back(schema::to_json(x));
  return result;
}

} // namespace forkfleet::bench
