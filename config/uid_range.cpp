// SPDX-License-Identifier: Apache-2.0
#include "config/uid_range.hpp"

#include <charconv>
#include <string>

#include <fmt/format.h>

namespace forkfleet {

namespace {

constexpr uint32_t uid_least = 65536;
constexpr uint32_t uid_most = UINT32_MAX - 1;

bool take_uid(std::string_view text, uint32_t& result) {
  const auto* const end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, result);
  return read.ec == std::errc{} && read.ptr == end;
}

} // namespace

expected<uid_range> parse_uid_range(std::string_view text) {
  if (text == "none")
    return uid_range{};
  auto result = uid_range{};
  const auto dash = text.find('-');
  if (dash == std::string_view::npos
      || !take_uid(text.substr(0, dash), result.first)
      || !take_uid(text.substr(dash + 1), result.last))
    return fail(
      ec::invalid_request,
      fmt::format("'{}' is neither FIRST-LAST nor none", text.substr(0, 64)));
  if (result.first > result.last)
    return fail(ec::invalid_request, "the first user comes after the last");
  if (result.first < uid_least || result.last > uid_most)
    return fail(ec::invalid_request,
                fmt::format("users must be {} to {}", uid_least, uid_most));
  return result;
}

} // namespace forkfleet
