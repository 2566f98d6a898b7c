// SPDX-License-Identifier: Apache-2.0
// JSON as text, in and out. The only place that parses or prints it, because
// the library's own ways accept duplicate keys, recurse without a limit, and
// throw on text that a guest wrote.
#pragma once

#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "actors/error.hpp"

namespace forkfleet::schema {

/// Keeps the order of an object's keys.
using json = nlohmann::ordered_json;

/// How deep objects and arrays may lie in each other.
inline constexpr std::size_t json_depth_max = 64;

/// The value that `text` holds. Refuses duplicate keys, more than
/// `json_depth_max` levels, and bytes that are not UTF-8. The failure is
/// invalid_request: "line:column: what".
expected<json> parse_json(std::string_view text);

/// `value` as text: on one line, or indented by `indent` spaces. Bytes that
/// are not UTF-8 are replaced by U+FFFD.
std::string dump(const json& value, int indent = -1);

} // namespace forkfleet::schema
