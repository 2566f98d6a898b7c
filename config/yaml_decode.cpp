// SPDX-License-Identifier: Apache-2.0
#include "config/yaml_decode.hpp"

#include <map>
#include <string>

#include <fmt/format.h>

#include "actors/schema/nearest.hpp"
#include "config/interpolate.hpp"
#include "config/yaml_scalar.hpp"
#include "config/yaml_source.hpp"

namespace forkfleet::config {

namespace {

using schema::fault;
using schema::in_quotes;
using schema::type_shape;

constexpr std::string_view text_tag = "tag:yaml.org,2002:str";

std::string member_path(const std::string& path, std::string_view name) {
  return path.empty() ? std::string{name} : fmt::format("{}.{}", path, name);
}

std::string_view what_it_is(const YAML::Node& node) {
  switch (node.Type()) {
    case YAML::NodeType::Map:
      return "a map";
    case YAML::NodeType::Sequence:
      return "a list";
    case YAML::NodeType::Scalar:
      return "a single value";
    default:
      return "nothing";
  }
}

/// One run over a document.
class decoder {
public:
  decoder(const yaml_source& source, const environment& env,
          problem_list& problems)
    : source_{source}, env_{env}, problems_{problems} {}

  void any(const type_shape& shape, const YAML::Node& node, void* x,
           const std::string& path, place keyed) {
    if (!spend(64, path, keyed))
      return;
    if (node.IsNull())
      refuse(path, keyed, {"has no value", "give one, or leave the key out"});
    else if (has_foreign_tag(node))
      refuse(path, source_.at(node.Mark()),
             {fmt::format("has the tag {}", in_quotes(node.Tag())),
              "tags are not used here"});
    else if (shape.what == schema::kind::record)
      record(shape, node, x, path, keyed);
    else if (shape.what == schema::kind::list)
      list(shape, node, x, path, keyed);
    else
      scalar(shape, node, x, path, keyed);
  }

  place_map places() && { return std::move(places_); }

private:
  void refuse(const std::string& path, place where, const fault& what) {
    places_.emplace(path, where);
    problems_.add(path, where, what);
  }

  static bool has_foreign_tag(const YAML::Node& node) {
    const auto& tag = node.Tag();
    return !tag.empty() && tag != "?" && tag != "!"
           && !(node.IsScalar() && tag == text_tag);
  }

  /// Aliases let a small file stand for a huge one.
  bool spend(std::size_t bytes, const std::string& path, place where) {
    const bool had_room = spent_ <= decoded_bytes_max;
    spent_ += bytes;
    if (spent_ <= decoded_bytes_max)
      return true;
    if (had_room)
      refuse(path, where, {"is too much", "use fewer aliases"});
    return false;
  }

  void record(const type_shape& shape, const YAML::Node& node, void* x,
              const std::string& path, place keyed) {
    places_.emplace(path, keyed);
    if (!node.IsMap()) {
      refuse(path, source_.at(node.Mark()),
             {fmt::format("must be a map of keys, not {}", what_it_is(node))});
      return;
    }
    std::map<std::string, place, std::less<>> seen;
    for (const auto& each : node) {
      const auto where = source_.at(each.first.Mark());
      if (!each.first.IsScalar()) {
        problems_.add(path, where, {"a key must be text"});
        continue;
      }
      const auto& key = each.first.Scalar();
      if (const auto [first, is_new] = seen.emplace(key, where); !is_new)
        problems_.add(member_path(path, clipped(key)), where,
                      {"is there twice",
                       fmt::format("first on line {}", first->second.line)});
      else
        member(shape, key, each.second, x, path, where);
    }
    for (const auto& field : shape.fields)
      if (field.needed == schema::need::required
          && seen.find(field.name) == seen.end())
        problems_.add(member_path(path, field.name), keyed, {"is required"});
  }

  static std::string clipped(std::string_view key) {
    const auto quoted = in_quotes(key);
    return quoted.substr(1, quoted.size() - 2);
  }

  void member(const type_shape& shape, const std::string& key,
              const YAML::Node& node, void* x, const std::string& path,
              place where) {
    if (const auto* field = schema::find_field(shape, key)) {
      const auto inner = member_path(path, field->name);
      any(field->type(), node, field->edit(x), inner, where);
      if (field->needed == schema::need::required)
        check_given(*field, x, inner);
    } else if (key == "<<") {
      problems_.add(path, where,
                    {"merge keys are not used here",
                     "write the keys out, or use an alias for a whole value"});
    } else {
      problems_.add(path, where,
                    {fmt::format("unknown key {}", in_quotes(key)),
                     schema::suggestion(key, schema::field_names(shape))});
    }
  }

  /// An empty text is none.
  void check_given(const schema::field_shape& field, const void* x,
                   const std::string& path) {
    const auto& type = field.type();
    if (type.what != schema::kind::text
        && type.what != schema::kind::identifier)
      return;
    const auto value = type.read(field.view(x));
    if (std::get<std::string>(value).empty() && !problems_.has(path))
      problems_.add(path, find_place(places_, path), {"must not be empty"});
  }

  void list(const type_shape& shape, const YAML::Node& node, void* x,
            const std::string& path, place keyed) {
    places_.emplace(path, keyed);
    if (!node.IsSequence()) {
      refuse(path, source_.at(node.Mark()),
             {fmt::format("must be a list, not {}", what_it_is(node)),
              "begin each element with '- '"});
      return;
    }
    if (node.size() > list_length_max) {
      refuse(path, keyed,
             {fmt::format("has more than {} elements", list_length_max)});
      return;
    }
    std::size_t index = 0;
    for (const auto& element : node)
      any(shape.element(), element, shape.append(x),
          fmt::format("{}[{}]", path, index++), source_.of_element(element));
  }

  void scalar(const type_shape& shape, const YAML::Node& node, void* x,
              const std::string& path, place keyed) {
    if (!node.IsScalar()) {
      refuse(path, keyed,
             {fmt::format("must be a single value, not {}", what_it_is(node))});
      return;
    }
    const auto where = source_.at(node.Mark());
    places_.emplace(path, where);
    if (!spend(node.Scalar().size(), path, where))
      return;
    if (source_.is_unclosed_quote(node.Mark())) {
      refuse(path, where, {"a quote that is never closed"});
      return;
    }
    const auto text = interpolate(node.Scalar(), env_);
    if (!text) {
      refuse(path, where, text.error());
      return;
    }
    const auto value =
      read_scalar(shape, {*text, node.Tag() != "?", *text != node.Scalar()});
    problems_.add(path, where, value ? shape.write(x, *value) : value.error());
  }

  const yaml_source& source_;
  const environment& env_;
  problem_list& problems_;
  place_map places_ = {};
  std::size_t spent_ = 0;
};

} // namespace

place_map decode_yaml(std::string_view text, const type_shape& shape, void* x,
                      const environment& env, problem_list& problems) {
  const yaml_source source{text};
  const auto root = source.parse(problems);
  if (!root)
    return {};
  decoder run{source, env, problems};
  try {
    run.any(shape, *root, x, "", {});
  } catch (const YAML::Exception& error) {
    problems.add("", source.at(error.mark),
                 {fmt::format("cannot be read: {}", error.msg)});
  }
  return std::move(run).places();
}

} // namespace forkfleet::config
