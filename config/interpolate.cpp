// SPDX-License-Identifier: Apache-2.0
#include "config/interpolate.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "actors/schema/nearest.hpp"
#include "config/source_text.hpp"

namespace forkfleet::config {

namespace {

using schema::fault;
using schema::in_quotes;
using replaced = tl::expected<std::string, fault>;

tl::unexpected<fault> refuse(std::string message, std::string hint) {
  return tl::unexpected{fault{std::move(message), std::move(hint)}};
}

bool is_variable_name(std::string_view name) {
  const auto is_letter = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
  };
  const auto fits = [is_letter](char c) {
    return is_letter(c) || (c >= '0' && c <= '9');
  };
  return !name.empty() && is_letter(name.front())
         && std::all_of(name.begin(), name.end(), fits);
}

/// The value of what stands between "${" and "}".
replaced expand(std::string_view inside, const environment& env) {
  const auto colon = inside.find(':');
  const std::string name{inside.substr(0, colon)};
  if (!is_variable_name(name))
    return refuse(fmt::format("{} is not a variable's name", in_quotes(name)),
                  "write $$ for a dollar");
  const auto value = env(name);
  if (value && !is_plain_text(*value))
    return refuse(fmt::format("variable '{}' is not plain text", name),
                  "no control characters, and UTF-8");
  if (colon == inside.npos) {
    if (!value)
      return refuse(fmt::format("variable '{}' is not set", name),
                    fmt::format("or write ${{{}:-default}}", name));
    return *value;
  }
  const auto action = inside.substr(colon + 1);
  if (!action.starts_with('-') && !action.starts_with('?'))
    return refuse(fmt::format("unknown form {}", in_quotes(inside)),
                  "${NAME}, ${NAME:-default} or ${NAME:?message}");
  if (value && !value->empty())
    return *value;
  const std::string word{action.substr(1)};
  if (action.front() == '-')
    return word;
  return refuse(word.empty() ? fmt::format("variable '{}' is not set", name)
                             : word,
                fmt::format("set {}", name));
}

} // namespace

replaced interpolate(std::string_view text, const environment& env) {
  std::string result;
  while (true) {
    const auto dollar = text.find('$');
    result += text.substr(0, dollar);
    if (result.size() > replaced_length_max)
      return refuse(fmt::format("more than {} characters", replaced_length_max),
                    "");
    if (dollar == text.npos)
      return result;
    text.remove_prefix(dollar + 1);
    if (text.starts_with('$')) {
      result += '$';
      text.remove_prefix(1);
      continue;
    }
    const auto end = text.find('}');
    // The inner brace's end would be taken for the outer one's, whatever is
    // set.
    if (text.starts_with('{') && end != text.npos
        && text.substr(1, end - 1).find('{') != text.npos)
      return refuse(text.substr(0, end).find("${") != text.npos
                      ? "a replacement inside a replacement"
                      : "a brace inside a replacement",
                    "write one of them");
    if (!text.starts_with('{') || end == text.npos)
      return refuse(text.starts_with('{') ? "a '${' without its '}'"
                                          : "a dollar on its own",
                    "write $$ for a dollar, ${NAME} for a variable");
    const auto value = expand(text.substr(1, end - 1), env);
    if (!value)
      return value;
    result += *value;
    text.remove_prefix(end + 1);
  }
}

} // namespace forkfleet::config
