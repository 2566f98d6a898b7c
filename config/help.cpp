// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "config/options.hpp"
#include "config/verb_path.hpp"

namespace forkfleet::config {

namespace {

constexpr std::size_t width = 80;
constexpr std::size_t term_width_max = 26;

/// `text` broken between words so that no line is longer than `width`; lines
/// after the first begin with `indent` spaces.
std::string wrapped(std::string_view text, std::size_t indent) {
  std::string result;
  std::size_t column = indent;
  while (!text.empty()) {
    const auto word = text.substr(0, text.find(' '));
    text.remove_prefix(std::min(word.size() + 1, text.size()));
    if (column > indent && column + 1 + word.size() > width) {
      result += '\n' + std::string(indent, ' ');
      column = indent;
    } else if (column > indent) {
      result += ' ';
      ++column;
    }
    result += word;
    column += word.size();
  }
  return result;
}

using rows = std::vector<std::pair<std::string, std::string>>;

/// A titled list of terms and what they mean; "" for an empty one.
std::string section(std::string_view title, const rows& content) {
  if (content.empty())
    return {};
  std::size_t term_width = 0;
  for (const auto& [term, doc] : content)
    term_width = std::max(term_width, std::min(term.size(), term_width_max));
  const auto indent = term_width + 4;
  auto result = fmt::format("\n{}:\n", title);
  for (const auto& [term, doc] : content) {
    const bool fits = term.size() <= term_width;
    result += fmt::format("  {:<{}}{}{}\n", term, fits ? term_width + 2 : 0,
                          fits ? "" : "\n" + std::string(indent, ' '),
                          wrapped(doc, indent));
  }
  return result;
}

std::string placeholder(const option& x) {
  if (!x.placeholder.empty())
    return x.placeholder;
  switch (x.kind) {
    case value_kind::flag:
      return {};
    case value_kind::text:
      return "TEXT";
    case value_kind::number:
      return "N";
    case value_kind::duration:
      return "TIME";
    case value_kind::bytes:
      return "SIZE";
    case value_kind::endpoint:
      return "HOST:PORT";
    case value_kind::choice:
      return fmt::format("{}", fmt::join(x.choices, "|"));
  }
  return {};
}

std::string term(const option& x) {
  const auto value = placeholder(x);
  return fmt::format("{}--{}{}{}",
                     x.letter == '\0' ? std::string{}
                                      : fmt::format("-{}, ", x.letter),
                     x.name, value.empty() ? "" : " ", value);
}

std::string doc(const option& x) {
  auto result = x.doc;
  if (!x.initial.empty())
    result += fmt::format(" Default: {}.", x.initial);
  if (x.required)
    result += " Required.";
  if (x.repeatable)
    result += " May be repeated.";
  return result;
}

rows option_rows(const std::vector<option>& options) {
  rows result;
  for (const auto& each : options)
    result.emplace_back(term(each), doc(each));
  return result;
}

rows common_rows(const command_line& program, const verb_entry* verb) {
  rows result;
  for (const auto* each : common_options_of(program, verb))
    result.emplace_back(term(*each), doc(*each));
  result.emplace_back("-h, --help", "Print this help.");
  return result;
}

std::string usage_line(const command_line& program, const verb_entry& verb) {
  auto result = program.name + (verb.path.empty() ? "" : " ") + verb.path;
  for (const auto& each : verb.options)
    if (each.required)
      result += " " + term(each);
  if (!verb.options.empty() || !program.common.empty())
    result += " [OPTION...]";
  for (const auto& each : verb.positionals)
    result +=
      fmt::format(" {}{}{}{}", each.least == 0 ? "[" : "", each.name,
                  each.most > 1 ? "..." : "", each.least == 0 ? "]" : "");
  if (verb.keeps_rest)
    result += " [-- ARGUMENT...]";
  return result;
}

std::string verb_help(const command_line& program, const verb_entry& verb) {
  auto result = fmt::format("Usage: {}\n\n{}\n", usage_line(program, verb),
                            wrapped(verb.summary, 0));
  if (!verb.details.empty())
    result += "\n" + wrapped(verb.details, 0) + "\n";
  rows placed;
  for (const auto& each : verb.positionals)
    placed.emplace_back(each.name, each.doc);
  result += section("Arguments", placed);
  result += section("Options", option_rows(verb.options));
  result += section("Common options", common_rows(program, &verb));
  if (!verb.examples.empty())
    result +=
      fmt::format("\nExamples:\n  {}\n", fmt::join(verb.examples, "\n  "));
  return result;
}

std::string group_help(const command_line& program, std::string_view path) {
  rows listed;
  for (const auto& each : program.verbs)
    if (!each.is_hidden
        && (path.empty() || each.path.starts_with(std::string{path} + " ")))
      listed.emplace_back(each.path, each.summary);
  const auto start =
    program.name + (path.empty() ? "" : " ") + std::string{path};
  auto result =
    fmt::format("Usage: {} VERB [OPTION...] [ARGUMENT...]\n", start);
  if (path.empty())
    result += "\n" + wrapped(program.summary, 0) + "\n";
  result += section("Verbs", listed);
  result += section("Common options", common_rows(program, nullptr));
  return result
         + fmt::format("\n'{} help VERB' tells more about a verb.\n",
                       program.name);
}

} // namespace

std::string help(const command_line& program, std::string_view path) {
  for (const auto& each : program.verbs)
    if (each.path == path)
      return verb_help(program, each);
  return group_help(program, path);
}

early_end usage_error(const command_line& program, const verb_entry* verb,
                      std::string_view message) {
  const bool has_path = verb != nullptr && !verb->path.empty();
  return {usage_exit_code,
          fmt::format("{}: {}\nTry '{}{}{} --help'.\n", program.name, message,
                      program.name, has_path ? " " : "",
                      has_path ? verb->path : "")};
}

} // namespace forkfleet::config
