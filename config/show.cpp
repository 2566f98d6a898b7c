// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "actors/schema/json.hpp"
#include "actors/schema/units.hpp"
#include "config/load.hpp"
#include "config/yaml_scalar.hpp"

namespace forkfleet::config {

namespace {

using schema::field_shape;
using schema::kind;
using schema::type_shape;

bool is_safe_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
         || (c >= '0' && c <= '9')
         || std::string_view{"/._-+@%=:,"}.find(c) != std::string_view::npos;
}

/// Whether `text` means itself without quotes, to every YAML reader.
bool is_safe_plain(std::string_view text) {
  if (text.empty() || !plain_reading(text).empty())
    return false;
  const auto first = text.front();
  const bool starts = (first >= 'a' && first <= 'z')
                      || (first >= 'A' && first <= 'Z')
                      || (first >= '0' && first <= '9') || first == '/';
  return starts && text.back() != ':'
         && std::all_of(text.begin(), text.end(), is_safe_character);
}

std::string in_yaml(std::string_view text) {
  if (is_safe_plain(text))
    return std::string{text};
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\')
      result += '\\';
    result += c;
    // A single dollar would be taken for a variable.
    if (c == '$')
      result += c;
  }
  return result + '"';
}

/// Writes one fleet; `indent_` spaces before each line.
class writer {
public:
  std::string text() && { return std::move(text_); }

  void fields(const type_shape& shape, const void* x) {
    for (const auto& field : shape.fields)
      if (!is_absent(field, shape, x))
        member(field, field.view(x));
  }

private:
  /// A section that must not be empty cannot be written while it is, and one
  /// of texts says nothing then.
  static bool is_absent(const field_shape& field, const type_shape& shape,
                        const void* x) {
    const auto& type = field.type();
    const auto is_required = [](const field_shape& each) {
      return each.needed == schema::need::required;
    };
    const auto is_text = [](const field_shape& each) {
      return each.type().what == kind::text;
    };
    return type.what == kind::record && field.needed == schema::need::optional
           && (std::any_of(type.fields.begin(), type.fields.end(), is_required)
               || std::all_of(type.fields.begin(), type.fields.end(), is_text))
           && schema::encode(type, field.view(x))
                == schema::encode(type, field.view(shape.initial()));
  }

  void line(std::string_view content) {
    text_ += fmt::format("{:{}}{}{}\n", "", indent_ - (begins_element_ ? 2 : 0),
                         begins_element_ ? "- " : "", content);
    begins_element_ = false;
  }

  void member(const field_shape& field, const void* x) {
    const auto& type = field.type();
    if (type.what == kind::list && type.size(x) == 0) {
      line(fmt::format("{}: []", field.name));
    } else if (type.what == kind::list) {
      line(fmt::format("{}:", field.name));
      elements(type, x);
    } else if (type.what == kind::record) {
      line(fmt::format("{}:", field.name));
      indent_ += 2;
      fields(type, x);
      indent_ -= 2;
    } else {
      line(fmt::format("{}: {}", field.name, scalar(type, x)));
    }
  }

  void elements(const type_shape& list, const void* x) {
    const auto& type = list.element();
    indent_ += 4;
    for (std::size_t i = 0; i < list.size(x); ++i) {
      begins_element_ = true;
      if (type.what == kind::record)
        fields(type, list.at(x, i));
      else
        line(scalar(type, list.at(x, i)));
    }
    indent_ -= 4;
  }

  static std::string scalar(const type_shape& type, const void* x) {
    const auto value = type.read(x);
    switch (type.what) {
      case kind::boolean:
        return std::get<bool>(value) ? "true" : "false";
      case kind::duration:
        return schema::format_duration(
          std::chrono::nanoseconds{std::get<int64_t>(value) * type.tick_ns});
      case kind::enumeration:
        return std::string{type.values.at(std::get<uint64_t>(value)).name};
      case kind::text:
      case kind::identifier:
      case kind::notation:
        return in_yaml(std::get<std::string>(value));
      default:
        return schema::dump(schema::encode(type, x));
    }
  }

  std::string text_ = {};
  std::size_t indent_ = 0;
  bool begins_element_ = false;
};

} // namespace

std::string show(const fleet_file& fleet) {
  writer out;
  out.fields(schema::shape_of<fleet_file>(), &fleet);
  return std::move(out).text();
}

} // namespace forkfleet::config
