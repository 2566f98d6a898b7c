// SPDX-License-Identifier: Apache-2.0
#include "actors/schema/json_text.hpp"

#include <algorithm>
#include <iterator>
#include <limits>
#include <set>
#include <vector>

#include <fmt/format.h>

#include "actors/schema/json_limits.hpp"
#include "actors/schema/nearest.hpp"

namespace forkfleet::schema {

namespace {

/// Reads text and tells how far the parser is: the library's handler is not
/// told where it stands.
class counting_iterator {
public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  counting_iterator(const char* here, std::size_t* count)
    : here_{here}, count_{count} {}
  reference operator*() const { return *here_; }
  counting_iterator& operator++() {
    ++here_;
    ++*count_;
    return *this;
  }
  bool operator==(const counting_iterator& x) const { return here_ == x.here_; }
  bool operator!=(const counting_iterator& x) const { return here_ != x.here_; }

private:
  const char* here_;
  std::size_t* count_;
};

/// "line:column" of the byte at `offset`; columns count characters.
std::string place(std::string_view text, std::size_t offset) {
  std::size_t line = 1;
  std::size_t column = 1;
  for (const char c : text.substr(0, offset)) {
    if (c == '\n') {
      ++line;
      column = 1;
    } else if ((static_cast<unsigned char>(c) & 0xC0u) != 0x80u) {
      ++column;
    }
  }
  return fmt::format("{}:{}", line, column);
}

/// The library's message without its number, its own place, and what it read
/// last: that may be long, and is not always text.
std::string reason(std::string_view what) {
  if (const auto at = what.find("column "); at != what.npos)
    what.remove_prefix(std::min(what.find(": ", at), what.size() - 2) + 2);
  else if (const auto bracket = what.find("] "); bracket != what.npos)
    what.remove_prefix(bracket + 2);
  std::string result{what};
  if (const auto last = result.find("; last read: "); last != result.npos) {
    const auto expected = result.rfind("; expected ");
    const bool more = expected != result.npos && expected > last;
    result.erase(last, more ? expected - last : result.npos);
  }
  return result;
}

/// Where the string whose closing quote is at `closing` begins.
std::size_t opening_quote(std::string_view text, std::size_t closing) {
  for (auto i = closing; i > 0; --i) {
    if (text[i - 1] != '"')
      continue;
    std::size_t backslashes = 0;
    while (backslashes + 1 < i && text[i - 2 - backslashes] == '\\')
      ++backslashes;
    if (backslashes % 2 == 0)
      return i - 1;
  }
  return 0;
}

/// Builds the value while it counts levels and remembers keys.
class builder final : public nlohmann::json_sax<json> {
public:
  builder(std::string_view text, const std::size_t& consumed,
          const json_limits& limits)
    : text_{text}, consumed_{consumed}, limits_{limits} {}

  bool null() override { return put(nullptr); }
  bool boolean(bool value) override { return put(value); }
  bool number_integer(int64_t value) override { return put(value); }
  bool number_unsigned(uint64_t value) override { return put(value); }
  bool number_float(double value, const std::string&) override {
    return put(value);
  }
  bool string(std::string& value) override {
    return fits(value) && put(std::move(value));
  }
  bool binary(json::binary_t&) override { return false; }
  bool start_object(std::size_t) override { return open(json::object()); }
  bool end_object() override { return close(); }
  bool start_array(std::size_t) override { return open(json::array()); }
  bool end_array() override { return close(); }

  bool key(std::string& name) override {
    if (!fits(name))
      return false;
    if (!levels_.back().keys.insert(name).second)
      return stop(opening_quote(text_, consumed_ - 1),
                  "duplicate key " + in_quotes(name));
    levels_.back().key = std::move(name);
    return true;
  }

  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception& error) override {
    return stop(position > 0 ? position - 1 : 0, reason(error.what()));
  }

  expected<json> result() && {
    if (!problem_.empty())
      return fail(ec::invalid_request, std::move(problem_));
    return std::move(root_);
  }

private:
  struct level {
    json* value;
    std::string key = {};
    std::set<std::string> keys = {};
  };

  json* add(json&& value) {
    if (levels_.empty()) {
      root_ = std::move(value);
      return &root_;
    }
    auto& top = levels_.back();
    // The map's own insertion looks through all keys, which are known to be
    // distinct already.
    if (top.value->is_object()) {
      auto& members = top.value->get_ref<json::object_t&>();
      members.emplace_back(std::move(top.key), std::move(value));
      return &members.back().second;
    }
    top.value->push_back(std::move(value));
    return &top.value->back();
  }

  bool fits(const std::string& text) {
    return text.size() <= limits_.text_bytes_max
           || stop(consumed_ - 1, fmt::format("a text of more than {} bytes",
                                              limits_.text_bytes_max));
  }

  /// Whether one more value may be.
  bool count() {
    return ++values_ <= limits_.values_max
           || stop(consumed_ - 1,
                   fmt::format("more than {} values", limits_.values_max));
  }

  bool put(json&& value) {
    if (!count())
      return false;
    add(std::move(value));
    return true;
  }

  bool open(json&& value) {
    if (!count())
      return false;
    if (levels_.size() == json_depth_max)
      return stop(consumed_ - 1,
                  fmt::format("more than {} levels deep", json_depth_max));
    levels_.push_back({add(std::move(value))});
    return true;
  }

  bool close() {
    levels_.pop_back();
    return true;
  }

  bool stop(std::size_t offset, std::string_view why) {
    problem_ = fmt::format("{}: {}", place(text_, offset), why);
    return false;
  }

  std::string_view text_;
  const std::size_t& consumed_;
  json_limits limits_;
  std::size_t values_ = 0;
  json root_ = {};
  std::vector<level> levels_ = {};
  std::string problem_ = {};
};

} // namespace

expected<json> parse_json(std::string_view text) {
  constexpr auto all = std::numeric_limits<std::size_t>::max();
  return parse_json(text, {.values_max = all, .text_bytes_max = all});
}

expected<json> parse_json(std::string_view text, const json_limits& limits) {
  std::size_t consumed = 0;
  builder result{text, consumed, limits};
  const auto* data = text.data();
  json::sax_parse(counting_iterator{data, &consumed},
                  counting_iterator{data + text.size(), &consumed}, &result);
  return std::move(result).result();
}

std::string dump(const json& value, int indent) {
  return value.dump(indent, ' ', false, json::error_handler_t::replace);
}

} // namespace forkfleet::schema
