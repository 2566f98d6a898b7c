// SPDX-License-Identifier: Apache-2.0
// JSON of somebody who may send anything: what is taken is bounded while it
// is read, so that a short text never becomes a large value.
#pragma once

#include "actors/schema/json_text.hpp"

namespace forkfleet::schema {

/// How much one text may hold.
struct json_limits {
  std::size_t values_max = 0;     // objects, arrays, members and elements
  std::size_t text_bytes_max = 0; // of one string or key
};

/// The value that `text` holds, as parse_json without limits does. Nothing
/// beyond the limits is kept: invalid_request names the limit.
expected<json> parse_json(std::string_view text, const json_limits& limits);

} // namespace forkfleet::schema
