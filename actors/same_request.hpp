// SPDX-License-Identifier: Apache-2.0
// Whether two requests with one operation id ask for the same thing. One
// answer for all requests, by their field tables, so that no field is
// forgotten. Knows no CAF.
#pragma once

#include <string>
#include <string_view>

#include "actors/error.hpp"
#include "actors/ids.hpp"
#include "actors/schema/json.hpp"

namespace forkfleet {

/// Whether a field says what is asked for. What our programs add on the way
/// does not, nor does the deadline: it says how long somebody waits, and a
/// retry has less of it.
constexpr bool is_content(std::string_view name, schema::access settable) {
  return settable == schema::access::scriptable && name != "deadline_ms";
}

/// The name of the first field of content in which they differ; empty when
/// they ask for the same.
template <schema::described T>
std::string_view differing_field(const T& a, const T& b) {
  auto found = std::string_view{};
  schema::for_each_field<T>([&](const auto& entry) {
    if (found.empty() && is_content(entry.name, entry.settable)
        && !(a.*(entry.member) == b.*(entry.member)))
      found = entry.name;
  });
  return found;
}

/// SHA-256, its first 32 hex digits.
std::string short_digest(std::string_view text);

/// The digest of the request's kind and content: equal for two requests in
/// which no field differs. For where the request itself is not kept.
template <schema::described T>
std::string request_digest(const T& x) {
  auto content = x;
  schema::for_each_field<T>([&content](const auto& entry) {
    if (!is_content(entry.name, entry.settable))
      content.*(entry.member) = {};
  });
  return short_digest(std::string{T::about.name}
                      + schema::dump(schema::to_json(content)));
}

/// operation_conflict, with the field that says something else.
inline failure conflict_of(const operation_id& operation,
                           std::string_view field) {
  return {ec::operation_conflict, "operation '" + operation.value
                                    + "' was asked for with another value of "
                                    + std::string{field}
                                    + "; give each request an id of its own"};
}

} // namespace forkfleet
