// SPDX-License-Identifier: Apache-2.0
#include "actors/link/access_list.hpp"

#include <algorithm>

#include "actors/ids.hpp"

namespace forkfleet {

namespace {

constexpr std::size_t name_max = 63;
constexpr std::size_t serial_digits_max = 64;

/// Upper case, without colons and leading zeros; empty for no number. As
/// OpenSSL prints it: "0A:1B", "a1b".
std::string serial_of(std::string_view text) {
  auto digits = std::string{};
  for (const auto c : text) {
    if (c == ':')
      continue;
    const auto is_digit = c >= '0' && c <= '9';
    const auto is_lower = c >= 'a' && c <= 'f';
    const auto is_upper = c >= 'A' && c <= 'F';
    if (!is_digit && !is_lower && !is_upper)
      return {};
    digits += is_lower ? static_cast<char>(c - 'a' + 'A') : c;
  }
  if (digits.empty() || digits.size() > serial_digits_max)
    return {};
  const auto first = digits.find_first_not_of('0');
  return first == digits.npos ? "0" : digits.substr(first);
}

} // namespace

bool is_denial(std::string_view entry) {
  if (entry.starts_with(serial_prefix))
    return !serial_of(entry.substr(serial_prefix.size())).empty();
  for (const std::string_view kind : {"client:", "node:", "token:"})
    if (entry.starts_with(kind))
      return is_safe_name(entry.substr(kind.size()), name_max);
  return false;
}

void access_list::deny(const std::vector<std::string>& entries) {
  const auto lock = std::lock_guard{mutex_};
  names_.clear();
  serials_.clear();
  for (const auto& entry : entries) {
    if (!is_denial(entry))
      continue;
    if (entry.starts_with(serial_prefix))
      serials_.insert(serial_of(entry.substr(serial_prefix.size())));
    else
      names_.insert(entry);
  }
}

bool access_list::is_denied(const access_subject& x) const {
  const auto lock = std::lock_guard{mutex_};
  return names_.contains(x.name)
         || (!x.serial.empty() && serials_.contains(serial_of(x.serial)));
}

} // namespace forkfleet
