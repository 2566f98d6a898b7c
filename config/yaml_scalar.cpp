// SPDX-License-Identifier: Apache-2.0
#include "config/yaml_scalar.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include <fmt/format.h>

#include "actors/schema/nearest.hpp"
#include "actors/schema/units.hpp"
#include "config/source_text.hpp"

namespace forkfleet::config {

namespace {

using schema::fault;
using schema::in_quotes;
using schema::scalar;
using schema::type_shape;
using reading = tl::expected<scalar, fault>;

tl::unexpected<fault> refuse(std::string message, std::string hint = {}) {
  return tl::unexpected{fault{std::move(message), std::move(hint)}};
}

std::string lowered(std::string_view text) {
  std::string result{text};
  for (auto& c : result)
    if (c >= 'A' && c <= 'Z')
      c = static_cast<char>(c - 'A' + 'a');
  return result;
}

bool is_one_of(std::string_view text,
               std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), text) != words.end();
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/// Numbers of all YAML versions: 010, 0x1F, 1_000, 12:30, 1.5e3, .inf.
bool looks_like_number(std::string_view text) {
  if (text.starts_with('-') || text.starts_with('+'))
    text.remove_prefix(1);
  const auto low = lowered(text);
  if (is_one_of(low, {".inf", ".nan"}))
    return true;
  const auto all = [](std::string_view part, std::string_view allowed) {
    return !part.empty() && part.find_first_not_of(allowed) == part.npos;
  };
  if (low.starts_with("0x"))
    return all(std::string_view{low}.substr(2), "0123456789abcdef_");
  if (low.starts_with("0o") || low.starts_with("0b"))
    return all(std::string_view{low}.substr(2), "01234567_");
  const bool starts =
    !low.empty()
    && (is_digit(low[0])
        || (low.size() > 1 && low[0] == '.' && is_digit(low[1])));
  const bool ends =
    starts && (is_digit(low.back()) || low.back() == '.' || low.back() == '_');
  if (!ends || std::count(low.begin(), low.end(), '.') > 1)
    return false;
  // With a colon it is a number to base 60, which has no exponent.
  const bool has_colon = low.find(':') != low.npos;
  return all(low, has_colon ? "0123456789_.:" : "0123456789_.e+-")
         && (has_colon || low.find_first_of("+-") == low.npos
             || low.find('e') != low.npos);
}

reading read_boolean(const yaml_scalar& given) {
  const auto low = lowered(given.text);
  if (given.quoted)
    return refuse("must be true or false, not text", "remove the quotes");
  if (given.text == "true" || given.text == "false")
    return given.text == "true";
  std::string hint;
  if (is_one_of(low, {"true", "yes", "on", "y", "1"}))
    hint = "write true";
  else if (is_one_of(low, {"false", "no", "off", "n", "0"}))
    hint = "write false";
  return refuse(
    fmt::format("must be true or false, not {}", in_quotes(given.text)), hint);
}

/// What to write instead of a number in one of YAML's odder forms.
std::string number_hint(std::string_view text) {
  if (text.find('_') != text.npos) {
    std::string digits{text};
    digits.erase(std::remove(digits.begin(), digits.end(), '_'), digits.end());
    return fmt::format("write {}", digits);
  }
  if (text.find(':') != text.npos)
    return "some YAML readers take it for a number to base 60";
  const auto digits = text.find_first_not_of('0');
  if (text.starts_with('0') && digits != text.npos && is_digit(text[digits]))
    return fmt::format("write {}; a leading 0 is octal to some YAML readers",
                       text.substr(digits));
  return {};
}

template <class Number>
reading to_number(const type_shape& shape, std::string_view text) {
  Number value = 0;
  const auto* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value);
  const bool is_whole = error != std::errc::invalid_argument && rest == end;
  const bool is_odd = text.size() > 1 && text.starts_with('0');
  if (!is_whole || is_odd)
    return refuse(
      fmt::format("must be a whole number, not {}", in_quotes(text)),
      number_hint(text));
  const bool too_low =
    std::is_signed_v<Number> && static_cast<int64_t>(value) < shape.min;
  const bool too_high = value > 0 && static_cast<uint64_t>(value) > shape.max;
  if (error != std::errc{} || too_low || too_high)
    return refuse(fmt::format("must be {} to {}, not {}", shape.min, shape.max,
                              text.substr(0, 40)));
  return value;
}

reading read_number(const type_shape& shape, const yaml_scalar& given) {
  if (given.quoted)
    return refuse("must be a whole number, not text", "remove the quotes");
  if (shape.what == schema::kind::integer)
    return to_number<int64_t>(shape, given.text);
  if (given.text.starts_with('-') && looks_like_number(given.text))
    return refuse(
      fmt::format("must not be negative, not {}", in_quotes(given.text)));
  return to_number<uint64_t>(shape, given.text);
}

reading read_duration(const type_shape& shape, const yaml_scalar& given) {
  const auto parsed = schema::parse_duration(given.text);
  if (!parsed)
    return tl::unexpected{parsed.error()};
  if (parsed->count() % shape.tick_ns != 0)
    return refuse(fmt::format("{} is too fine", in_quotes(given.text)),
                  fmt::format("a multiple of {}",
                              schema::format_duration(
                                std::chrono::nanoseconds{shape.tick_ns})));
  return parsed->count() / shape.tick_ns;
}

/// Text that a person wrote for text: `010` and `yes` are refused, because
/// they may be a number and a boolean to the next reader of the file.
reading read_text_value(const type_shape& shape, const yaml_scalar& given) {
  const auto other = plain_reading(given.text);
  if (!given.quoted && !given.replaced && !other.empty())
    return refuse(fmt::format("must be text, but {} is {} in YAML",
                              in_quotes(given.text), other),
                  fmt::format("quote it: \"{}\"", given.text));
  if (!is_plain_text(given.text)) {
    const bool has_break = given.text.find('\n') != given.text.npos;
    return refuse(has_break ? "must be one line" : "has control characters",
                  has_break ? "use >- for a long text" : "");
  }
  if (shape.what == schema::kind::identifier)
    if (auto wrong = schema::check_identifier(shape, given.text))
      return tl::unexpected{std::move(wrong)};
  return given.text;
}

reading read_enumeration(const type_shape& shape, const yaml_scalar& given) {
  const auto found = schema::find_value(shape, given.text);
  if (const auto* wrong = std::get_if<fault>(&found))
    return tl::unexpected{*wrong};
  return uint64_t{std::get<std::size_t>(found)};
}

reading read_real(const yaml_scalar& given) {
  double value = 0;
  const auto* end = given.text.data() + given.text.size();
  const auto [rest, error] = std::from_chars(given.text.data(), end, value);
  if (given.quoted || error != std::errc{} || rest != end)
    return refuse(
      fmt::format("must be a number, not {}", in_quotes(given.text)),
      given.quoted ? "remove the quotes" : "");
  return value;
}

} // namespace

std::string_view plain_reading(std::string_view text) {
  constexpr std::size_t odd_length_max = 64;
  if (text.size() > odd_length_max)
    return {};
  const auto low = lowered(text);
  if (is_one_of(low, {"", "~", "null"}))
    return "null";
  if (is_one_of(low, {"true", "false", "yes", "no", "on", "off"}))
    return "a boolean";
  return looks_like_number(text) ? "a number" : std::string_view{};
}

reading read_scalar(const type_shape& shape, const yaml_scalar& given) {
  switch (shape.what) {
    case schema::kind::boolean:
      return read_boolean(given);
    case schema::kind::integer:
    case schema::kind::natural:
      return read_number(shape, given);
    case schema::kind::real:
      return read_real(given);
    case schema::kind::duration:
      return read_duration(shape, given);
    case schema::kind::enumeration:
      return read_enumeration(shape, given);
    case schema::kind::notation:
      return given.text;
    default:
      return read_text_value(shape, given);
  }
}

} // namespace forkfleet::config
