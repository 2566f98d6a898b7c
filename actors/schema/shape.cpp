// SPDX-License-Identifier: Apache-2.0
#include "actors/schema/shape.hpp"

#include <fmt/format.h>

#include "actors/schema/nearest.hpp"

namespace forkfleet::schema {

std::string to_string(const fault& x) {
  return x.hint.empty() ? x.message : x.message + " (" + x.hint + ")";
}

fault check_identifier(const type_shape& shape, std::string_view text) {
  if (text.empty() || is_safe_name(text, shape.length_max))
    return {};
  return {fmt::format("{} is not a {} name", in_quotes(text), shape.name),
          fmt::format("1 to {} letters, digits, '-' and '_', and no '-' first",
                      shape.length_max)};
}

std::variant<std::size_t, fault> find_value(const type_shape& shape,
                                            std::string_view name) {
  for (std::size_t i = 0; i < shape.values.size(); ++i)
    if (shape.values[i].name == name)
      return i;
  return fault{fmt::format("unknown value {}", in_quotes(name)),
               suggestion(name, value_names(shape))};
}

std::vector<std::string_view> value_names(const type_shape& shape) {
  std::vector<std::string_view> result;
  for (const auto& value : shape.values)
    result.push_back(value.name);
  return result;
}

std::vector<std::string_view> field_names(const type_shape& shape,
                                          bool with_internal) {
  std::vector<std::string_view> result;
  for (const auto& field : shape.fields)
    if (with_internal || field.settable == access::scriptable)
      result.push_back(field.name);
  return result;
}

const field_shape* find_field(const type_shape& shape, std::string_view name) {
  for (const auto& field : shape.fields)
    if (field.name == name)
      return &field;
  return nullptr;
}

} // namespace forkfleet::schema
