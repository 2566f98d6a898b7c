// SPDX-License-Identifier: Apache-2.0
#include "config/options.hpp"

#include <algorithm>
#include <charconv>
#include <cstdio>

#include <boost/program_options.hpp>
#include <fmt/format.h>

#include "actors/schema/nearest.hpp"
#include "actors/schema/units.hpp"
#include "config/verb_path.hpp"

namespace forkfleet::config {

namespace {

namespace po = boost::program_options;
using schema::fault;
using schema::in_quotes;
using std::chrono::milliseconds;

/// The hidden option that Program_options collects positional arguments in;
/// its name cannot be typed.
constexpr const char* placed_name = " placed";

std::optional<uint64_t> to_number(std::string_view text) {
  uint64_t result = 0;
  const auto* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, result);
  if (error != std::errc{} || rest != end)
    return std::nullopt;
  return result;
}

fault check_number(const option& wanted, std::string_view text) {
  const auto value = to_number(text);
  if (!value)
    return {fmt::format("{} is not a whole number", in_quotes(text))};
  if (*value < wanted.min || *value > wanted.max)
    return {
      fmt::format("must be {} to {}, not {}", wanted.min, wanted.max, *value)};
  return {};
}

fault check_duration(const option& wanted, std::string_view text) {
  const auto value = schema::parse_duration(text);
  if (!value)
    return value.error();
  if (*value % milliseconds{1} != milliseconds::zero())
    return {fmt::format("{} is not a whole number of ms", in_quotes(text))};
  const auto count = static_cast<uint64_t>(*value / milliseconds{1});
  const auto shown = [](uint64_t ms) {
    // The limit of "no limit" is beyond what nanoseconds can hold.
    constexpr uint64_t max = INT64_MAX / 1'000'000;
    return schema::format_duration(
      milliseconds{static_cast<int64_t>(std::min(ms, max))});
  };
  if (count < wanted.min || count > wanted.max)
    return {fmt::format("must be {} to {}, not {}", shown(wanted.min),
                        shown(wanted.max), text)};
  return {};
}

fault check_choice(const option& wanted, std::string_view text) {
  const auto& known = wanted.choices;
  if (std::find(known.begin(), known.end(), text) != known.end())
    return {};
  return {fmt::format("unknown value {}", in_quotes(text)),
          schema::suggestion(text, {known.begin(), known.end()})};
}

fault check_value(const option& wanted, std::string_view text) {
  switch (wanted.kind) {
    case value_kind::flag:
    case value_kind::text:
      return {};
    case value_kind::number:
      return check_number(wanted, text);
    case value_kind::duration:
      return check_duration(wanted, text);
    case value_kind::bytes: {
      byte_size ignored;
      return from_text(text, ignored);
    }
    case value_kind::endpoint: {
      endpoint ignored;
      return from_text(text, ignored);
    }
    case value_kind::choice:
      return check_choice(wanted, text);
  }
  return {};
}

po::options_description describe(const option_list& options) {
  po::options_description result;
  for (const auto* each : options) {
    auto name = each->name;
    if (each->letter != '\0')
      name += fmt::format(",{}", each->letter);
    if (each->kind == value_kind::flag)
      result.add_options()(name.c_str(), "");
    else
      result.add_options()(name.c_str(), po::value<std::string>(), "");
  }
  result.add_options()(placed_name, po::value<std::vector<std::string>>(), "");
  return result;
}

std::string unknown_option(const option_list& options, std::string name) {
  std::vector<std::string_view> known;
  std::vector<std::string> names;
  for (const auto* each : options)
    names.push_back("--" + each->name);
  known.assign(names.begin(), names.end());
  const auto equals = name.find('=');
  name = name.substr(0, equals);
  const auto best = schema::nearest(name, known);
  return fmt::format("unknown option {}{}", in_quotes(name),
                     best ? fmt::format(" (did you mean '{}'?)", *best) : "");
}

/// Our own words for what Program_options has thrown.
std::string syntax_problem(const po::invalid_command_line_syntax& error) {
  const auto name = error.get_option_name();
  switch (error.kind()) {
    case po::invalid_syntax::missing_parameter:
    case po::invalid_syntax::empty_adjacent_parameter:
      return fmt::format("option '{}' needs a value", name);
    case po::invalid_syntax::extra_parameter:
    case po::invalid_syntax::long_adjacent_not_allowed:
    case po::invalid_syntax::short_adjacent_not_allowed:
      return fmt::format("option '{}' takes no value", name);
    default:
      return error.what();
  }
}

} // namespace

/// Fills an invocation, one step after the other; the first one that fails
/// says why.
class invocation_builder {
public:
  invocation_builder(const verb_entry& verb, option_list options)
    : verb_{verb}, options_{std::move(options)} {
    result_.verb = &verb;
    for (const auto* each : options_)
      if (!each->initial.empty())
        result_.initial_[each->name] = each->initial;
  }

  /// Empty when all is well.
  std::string build(std::vector<std::string> words) {
    take_rest(words);
    auto problem = split(words);
    if (problem.empty())
      problem = check_options();
    return problem.empty() ? place() : problem;
  }

  invocation result() && { return std::move(result_); }

private:
  /// Program_options would drop the "--" and mix what follows with the rest.
  void take_rest(std::vector<std::string>& words) {
    const auto dashes = std::find(words.begin(), words.end(), "--");
    if (dashes == words.end())
      return;
    result_.rest_.assign(dashes + 1, words.end());
    words.erase(dashes, words.end());
  }

  std::string split(const std::vector<std::string>& words) {
    using namespace po::command_line_style;
    const auto described = describe(options_);
    po::positional_options_description placed;
    placed.add(placed_name, -1);
    try {
      const auto parsed = po::command_line_parser(words)
                            .options(described)
                            .positional(placed)
                            .style(unix_style & ~allow_guessing)
                            .run();
      for (const auto& each : parsed.options)
        keep(each);
    } catch (const po::unknown_option& error) {
      return unknown_option(options_, error.get_option_name());
    } catch (const po::invalid_command_line_syntax& error) {
      return syntax_problem(error);
    } catch (const po::error& error) {
      return error.what();
    }
    return {};
  }

  void keep(const po::option& given) {
    if (given.string_key == placed_name) {
      placed_.insert(placed_.end(), given.value.begin(), given.value.end());
      return;
    }
    auto& values = result_.given_[given.string_key];
    if (given.value.empty())
      values.emplace_back();
    else
      values.insert(values.end(), given.value.begin(), given.value.end());
  }

  std::string check_options() const {
    for (const auto* each : options_) {
      const auto found = result_.given_.find(each->name);
      if (found == result_.given_.end()) {
        if (each->required)
          return fmt::format("option '--{}' is required", each->name);
        continue;
      }
      if (found->second.size() > 1 && !each->repeatable)
        return fmt::format("option '--{}' is given more than once", each->name);
      for (const auto& value : found->second)
        if (const auto wrong = check_value(*each, value))
          return fmt::format("option '--{}': {}", each->name, to_string(wrong));
    }
    return {};
  }

  /// Each positional argument takes as many as it can while leaving enough
  /// for those after it.
  std::string place() {
    if (!verb_.keeps_rest) {
      placed_.insert(placed_.end(), result_.rest_.begin(), result_.rest_.end());
      result_.rest_.clear();
    }
    std::size_t wanted = 0;
    for (const auto& each : verb_.positionals)
      wanted += each.least;
    auto next = placed_.begin();
    for (const auto& each : verb_.positionals) {
      const auto left = static_cast<std::size_t>(placed_.end() - next);
      wanted -= each.least;
      if (left < each.least)
        return fmt::format("{} is missing", each.name);
      const auto spare = left > wanted ? left - wanted : 0;
      const auto taken =
        static_cast<std::ptrdiff_t>(std::min(each.most, spare));
      result_.placed_[each.name].assign(next, next + taken);
      next += taken;
    }
    if (next != placed_.end())
      return fmt::format("unexpected argument {}", in_quotes(*next));
    return {};
  }

  const verb_entry& verb_;
  option_list options_;
  invocation result_ = {};
  std::vector<std::string> placed_ = {};
};

bool invocation::has(std::string_view name) const {
  return given_.find(name) != given_.end();
}

std::string invocation::text(std::string_view name) const {
  const auto all = texts(name);
  return all.empty() ? std::string{} : all.back();
}

std::vector<std::string> invocation::texts(std::string_view name) const {
  if (const auto found = given_.find(name); found != given_.end())
    return found->second;
  if (const auto found = initial_.find(name); found != initial_.end())
    return {found->second};
  return {};
}

std::optional<uint64_t> invocation::number(std::string_view name) const {
  return to_number(text(name));
}

std::optional<milliseconds> invocation::duration(std::string_view name) const {
  const auto value = schema::parse_duration(text(name));
  if (!value)
    return std::nullopt;
  return std::chrono::duration_cast<milliseconds>(*value);
}

std::optional<byte_size> invocation::bytes(std::string_view name) const {
  byte_size result;
  if (from_text(text(name), result))
    return std::nullopt;
  return result;
}

std::optional<endpoint> invocation::address(std::string_view name) const {
  endpoint result;
  if (from_text(text(name), result) || result.empty())
    return std::nullopt;
  return result;
}

std::string invocation::positional(std::string_view name) const {
  const auto all = positionals(name);
  return all.empty() ? std::string{} : all.front();
}

std::vector<std::string> invocation::positionals(std::string_view name) const {
  const auto found = placed_.find(name);
  return found == placed_.end() ? std::vector<std::string>{} : found->second;
}

tl::expected<invocation, early_end>
parse(const command_line& program, const std::vector<std::string>& words) {
  auto found = find_verb(program, words);
  if (!found)
    return tl::unexpected{std::move(found.error())};
  invocation_builder builder{*found->verb, options_of(program, found->verb)};
  const auto problem = builder.build(std::move(found->rest));
  if (!problem.empty())
    return tl::unexpected{usage_error(program, found->verb, problem)};
  return std::move(builder).result();
}

int print(const early_end& end) {
  auto* stream = end.code == 0 ? stdout : stderr;
  std::fwrite(end.text.data(), 1, end.text.size(), stream);
  std::fflush(stream);
  return end.code;
}

} // namespace forkfleet::config
