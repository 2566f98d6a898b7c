// SPDX-License-Identifier: Apache-2.0
#include "tests/support/fake_body.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace forkfleet::test {

using schema::json;

fake_body::fake_body(const std::string& text) {
  auto parsed = schema::parse_json(text);
  if (!parsed)
    fail(parsed.error().message);
  else if (!parsed->is_object())
    fail("invalid type: expected a struct");
  else
    value_ = std::move(*parsed);
}

fake_body::fake_body(json value) : value_(std::move(value)) {}

void fake_body::fail(const std::string& why) {
  if (fault_.empty())
    fault_ = why;
}

const json* fake_body::take(const char* name, bool is_needed) {
  known_.emplace_back(name);
  if (value_.is_object()) {
    const auto found = value_.find(name);
    if (found != value_.end() && !found->is_null())
      return &*found;
  }
  if (is_needed)
    fail(fmt::format("missing field `{}`", name));
  return nullptr;
}

std::string fake_body::text(const char* name, bool is_needed) {
  const auto* found = take(name, is_needed);
  if (!found)
    return {};
  if (found->is_string())
    return found->get<std::string>();
  fail(fmt::format("invalid type for `{}`, expected a string", name));
  return {};
}

std::optional<uint64_t> fake_body::number(const char* name, bool is_needed) {
  const auto* found = take(name, is_needed);
  if (!found)
    return {};
  if (found->is_number_unsigned())
    return found->get<uint64_t>();
  fail(fmt::format("invalid type for `{}`, expected u64", name));
  return {};
}

bool fake_body::flag(const char* name, bool is_needed) {
  const auto* found = take(name, is_needed);
  if (!found)
    return false;
  if (found->is_boolean())
    return found->get<bool>();
  fail(fmt::format("invalid type for `{}`, expected a boolean", name));
  return false;
}

std::string fake_body::choice(const char* name,
                              const std::vector<std::string>& values,
                              bool is_needed) {
  auto chosen = text(name, is_needed);
  if (chosen.empty())
    return chosen;
  if (std::ranges::find(values, chosen) == values.end())
    fail(fmt::format("unknown variant `{}`, expected one of `{}`", chosen,
                     fmt::join(values, "`, `")));
  return chosen;
}

std::optional<fake_body> fake_body::object(const char* name, bool is_needed) {
  const auto* found = take(name, is_needed);
  if (!found)
    return {};
  if (found->is_object())
    return fake_body{*found};
  fail(fmt::format("invalid type for `{}`, expected a map", name));
  return {};
}

std::string fake_body::fault() {
  if (!fault_.empty() || !value_.is_object())
    return fault_;
  for (const auto& [key, ignored] : value_.items())
    if (std::ranges::find(known_, key) == known_.end())
      fail(fmt::format("unknown field `{}`, expected one of `{}`", key,
                       fmt::join(known_, "`, `")));
  return fault_;
}

} // namespace forkfleet::test
