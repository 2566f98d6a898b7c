// SPDX-License-Identifier: Apache-2.0
#include "actors/schema/json_schema.hpp"

#include <limits>

#include <fmt/format.h>

#include "actors/schema/json.hpp"
#include "actors/schema/units.hpp"

namespace forkfleet::schema {

namespace {

json any(const type_shape& shape, json_schema_options options);

/// Limits that are those of 64 bits are left out: a validator that counts in
/// doubles could not hold them.
json number(const type_shape& shape) {
  json result = {{"type", "integer"}};
  if (shape.what == kind::natural)
    result["minimum"] = 0;
  else if (shape.min != std::numeric_limits<int64_t>::min())
    result["minimum"] = shape.min;
  if (shape.max < static_cast<uint64_t>(std::numeric_limits<int64_t>::max()))
    result["maximum"] = shape.max;
  return result;
}

json duration(const type_shape& shape, json_schema_options options) {
  if (options.yaml)
    return {{"type", "string"}, {"pattern", duration_pattern}};
  auto result = number(shape);
  if (options.script)
    result["minimum"] = 0;
  return result;
}

json identifier(const type_shape& shape, json_schema_options options) {
  const auto name =
    fmt::format("[A-Za-z0-9_][A-Za-z0-9_-]{{0,{}}}", shape.length_max - 1);
  return {{"type", "string"},
          {"pattern", options.yaml ? "^" + name + "$" : "^(" + name + ")?$"}};
}

json enumeration(const type_shape& shape) {
  json result = {{"type", "string"}, {"enum", value_names(shape)}};
  json docs = json::array();
  for (const auto& value : shape.values)
    docs.push_back(value.doc);
  result["x-enum-descriptions"] = std::move(docs);
  return result;
}

json scalar_type(const type_shape& shape, json_schema_options options) {
  switch (shape.what) {
    case kind::boolean:
      return {{"type", "boolean"}};
    case kind::integer:
    case kind::natural:
      return number(shape);
    case kind::real:
      return {{"type", "number"}};
    case kind::duration:
      return duration(shape, options);
    case kind::identifier:
      return identifier(shape, options);
    case kind::enumeration:
      return enumeration(shape);
    case kind::notation:
      return {{"type", "string"},
              {"pattern", shape.pattern},
              {"examples", {shape.example}}};
    default:
      return {{"type", "string"}};
  }
}

/// In YAML any scalar may be replaced from the environment.
json or_replaced(json plain, const type_shape& shape,
                 json_schema_options options) {
  if (!options.yaml || shape.what == kind::text)
    return plain;
  const json replaced = {{"type", "string"}, {"pattern", "\\$\\{"}};
  return {{"anyOf", {std::move(plain), replaced}}};
}

json initial(const field_shape& field, const type_shape& record,
             json_schema_options options) {
  const auto& type = field.type();
  const auto* value = field.view(record.initial());
  if (type.what != kind::duration || !options.yaml)
    return encode(type, value);
  const auto count = std::get<int64_t>(type.read(value));
  return format_duration(std::chrono::nanoseconds{count * type.tick_ns});
}

json record(const type_shape& shape, json_schema_options options) {
  auto properties = json::object();
  auto required = json::array();
  for (const auto& field : shape.fields) {
    if (options.script && field.settable == access::internal)
      continue;
    const std::string name{field.name};
    json property = {{"description", field.doc}};
    property.update(any(field.type(), options));
    const bool is_required = field.needed == need::required;
    if (is_required)
      required.push_back(name);
    else if (field.type().what != kind::record)
      property["default"] = initial(field, shape, options);
    properties[name] = std::move(property);
  }
  json result = {{"type", "object"}};
  result["properties"] = std::move(properties);
  if (!required.empty())
    result["required"] = std::move(required);
  result["additionalProperties"] = false;
  return result;
}

json any(const type_shape& shape, json_schema_options options) {
  if (shape.what == kind::record)
    return record(shape, options);
  if (shape.what == kind::list)
    return {{"type", "array"}, {"items", any(shape.element(), options)}};
  return or_replaced(scalar_type(shape, options), shape, options);
}

} // namespace

json json_schema(const type_shape& shape, json_schema_options options) {
  json result = {{"$schema", "http://json-schema.org/draft-07/schema#"},
                 {"title", shape.name},
                 {"description", shape.doc}};
  result.update(any(shape, options));
  return result;
}

} // namespace forkfleet::schema
