// SPDX-License-Identifier: Apache-2.0
#include "actors/schema/json.hpp"

#include <cmath>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "actors/schema/nearest.hpp"

namespace forkfleet::schema {

namespace {

json encode_scalar(const type_shape& shape, const void* x) {
  const auto value = shape.read(x);
  if (shape.what == kind::enumeration) {
    const auto index = std::get<uint64_t>(value);
    return index < shape.values.size() ? json(shape.values[index].name)
                                       : json("?");
  }
  return std::visit([](const auto& held) { return json(held); }, value);
}

std::string type_of(const json& value) {
  switch (value.type()) {
    case json::value_t::null:
      return "null";
    case json::value_t::boolean:
      return "a boolean";
    case json::value_t::string:
      return "a string";
    case json::value_t::array:
      return "an array";
    case json::value_t::object:
      return "an object";
    default:
      return "a number";
  }
}

/// One run over a value; collects what is wrong.
class decoder {
public:
  explicit decoder(json_options options) : options_{options} {}

  void any(const type_shape& shape, const json& value, void* x,
           const std::string& path) {
    if (shape.what == kind::record)
      record(shape, value, x, path);
    else if (shape.what == kind::list)
      list(shape, value, x, path);
    else if (const auto held = to_scalar(shape, value, path))
      report(path, shape.write(x, *held));
  }

  std::vector<std::string> problems() && { return std::move(problems_); }

private:
  using maybe_scalar = std::optional<scalar>;

  void report(const std::string& path, const fault& what) {
    if (what)
      problems_.push_back(path + ": " + to_string(what));
  }

  maybe_scalar refuse(const std::string& path, const fault& what) {
    report(path, what);
    return std::nullopt;
  }

  maybe_scalar wrong_type(const std::string& path, std::string_view wanted,
                          const json& value) {
    return refuse(path,
                  {fmt::format("must be {}, not {}", wanted, type_of(value))});
  }

  void record(const type_shape& shape, const json& value, void* x,
              const std::string& path) {
    if (!value.is_object()) {
      wrong_type(path, "an object", value);
      return;
    }
    for (const auto& [name, member] : value.items())
      field(shape, name, member, x, path);
    for (const auto& wanted : shape.fields)
      if (wanted.needed == need::required && !value.contains(wanted.name))
        report(fmt::format("{}.{}", path, wanted.name), {"is required"});
  }

  void field(const type_shape& shape, const std::string& name,
             const json& member, void* x, const std::string& path) {
    const auto* known = find_field(shape, name);
    const bool internal = known != nullptr && options_.script
                          && known->settable == access::internal;
    if (known == nullptr)
      report(path, {"unknown field " + in_quotes(name),
                    suggestion(name, field_names(shape, !options_.script))});
    else if (internal)
      report(path + "." + name, {"is set by the programs, not by scripts"});
    else
      any(known->type(), member, known->edit(x), path + "." + name);
  }

  void list(const type_shape& shape, const json& value, void* x,
            const std::string& path) {
    if (!value.is_array()) {
      wrong_type(path, "an array", value);
      return;
    }
    std::size_t index = 0;
    for (const auto& element : value)
      any(shape.element(), element, shape.append(x),
          fmt::format("{}[{}]", path, index++));
  }

  maybe_scalar to_scalar(const type_shape& shape, const json& value,
                         const std::string& path) {
    switch (shape.what) {
      case kind::boolean:
        return value.is_boolean() ? maybe_scalar{value.get<bool>()}
                                  : wrong_type(path, "true or false", value);
      case kind::real:
        return value.is_number() ? maybe_scalar{value.get<double>()}
                                 : wrong_type(path, "a number", value);
      case kind::integer:
      case kind::natural:
      case kind::duration:
        return number(shape, value, path);
      default:
        return value.is_string() ? text(shape, value, path)
                                 : wrong_type(path, "a string", value);
    }
  }

  maybe_scalar text(const type_shape& shape, const json& value,
                    const std::string& path) {
    const auto& given = value.get_ref<const std::string&>();
    if (shape.what == kind::identifier)
      if (const auto wrong = check_identifier(shape, given))
        return refuse(path, wrong);
    if (shape.what != kind::enumeration)
      return given;
    const auto found = find_value(shape, given);
    if (const auto* wrong = std::get_if<fault>(&found))
      return refuse(path, *wrong);
    return uint64_t{std::get<std::size_t>(found)};
  }

  maybe_scalar number(const type_shape& shape, const json& value,
                      const std::string& path) {
    if (!value.is_number())
      return wrong_type(path, "a whole number", value);
    const auto shown = dump(value);
    if (value.is_number_float() && std::abs(value.get<double>()) < 0x1p63)
      return refuse(path, {"must be a whole number, not " + shown});
    const int64_t lowest = lowest_of(shape);
    const bool negative = !value.is_number_unsigned() && value < 0;
    const bool fits = !value.is_number_float()
                      && (negative ? value.get<int64_t>() >= lowest
                                   : value.get<uint64_t>() <= shape.max);
    if (!fits)
      return refuse(path, {fmt::format("must be {} to {}, not {}", lowest,
                                       shape.max, shown)});
    if (shape.what == kind::natural)
      return value.get<uint64_t>();
    return value.get<int64_t>();
  }

  int64_t lowest_of(const type_shape& shape) const {
    return shape.what == kind::duration && options_.script ? 0 : shape.min;
  }

  json_options options_;
  std::vector<std::string> problems_ = {};
};

} // namespace

json encode(const type_shape& shape, const void* x) {
  if (shape.what == kind::record) {
    auto result = json::object();
    auto& members = result.get_ref<json::object_t&>();
    for (const auto& field : shape.fields)
      members.emplace_back(std::string{field.name},
                           encode(field.type(), field.view(x)));
    return result;
  }
  if (shape.what == kind::list) {
    auto result = json::array();
    for (std::size_t i = 0; i < shape.size(x); ++i)
      result.push_back(encode(shape.element(), shape.at(x, i)));
    return result;
  }
  return encode_scalar(shape, x);
}

std::vector<std::string> decode(const type_shape& shape, const json& value,
                                void* x, json_options options) {
  decoder run{options};
  run.any(shape, value, x, "$");
  return std::move(run).problems();
}

failure to_failure(const std::vector<std::string>& problems) {
  const auto told = std::min(problems.size(), json_problems_max);
  auto message = fmt::format(
    "{}",
    fmt::join(problems.begin(),
              problems.begin() + static_cast<std::ptrdiff_t>(told), "; "));
  if (told < problems.size())
    message += fmt::format("; and {} more", problems.size() - told);
  return {ec::invalid_request, std::move(message)};
}

} // namespace forkfleet::schema
