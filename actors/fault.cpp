// SPDX-License-Identifier: Apache-2.0
#include "actors/fault.hpp"

#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <limits>
#include <string>
#include <utility>

namespace forkfleet {

namespace {

std::string_view wanted_fault() {
  const char* const text = std::getenv(fault_variable);
  return text == nullptr ? "" : text;
}

/// What stands before the first `mark`, and after it.
std::pair<std::string_view, std::string_view> split(std::string_view text,
                                                    char mark) {
  const auto at = text.find(mark);
  if (at == std::string_view::npos)
    return {text, {}};
  return {text.substr(0, at), text.substr(at + 1)};
}

int error_called(std::string_view name) {
  constexpr std::pair<std::string_view, int> known[] = {
    {"ENOSPC", ENOSPC}, {"EDQUOT", EDQUOT}, {"EIO", EIO},
    {"EINTR", EINTR},   {"EROFS", EROFS},   {"EOPNOTSUPP", EOPNOTSUPP},
  };
  for (const auto& [text, number] : known)
    if (text == name)
      return number;
  return 0;
}

std::optional<disk_fault::kind> kind_called(std::string_view verb,
                                            std::string_view which) {
  using enum disk_fault::kind;
  if (verb == "kill" && which.empty())
    return kill_before;
  if (verb == "kill" && which == "after")
    return kill_after;
  if (verb == "fail" && (which.empty() || which == "from"))
    return fail;
  return std::nullopt;
}

} // namespace

status fault_point(std::string_view place) {
  const auto [kind, where] = split(wanted_fault(), ':');
  if (where.empty() || where != place)
    return {};
  if (kind == "kill")
    std::raise(SIGKILL);
  if (kind == "stop")
    std::raise(SIGSTOP);
  if (kind == "fail")
    return fail(ec::io_failed, std::string{fault_variable}
                                 + " asks for a fault at "
                                 + std::string{place});
  return {};
}

std::optional<disk_fault> parse_disk_fault(std::string_view text) {
  const auto [verb, rest] = split(text, ':');
  const auto [which, tail] = split(rest, '#');
  const auto [digits, error] = split(tail, ':');
  const auto kind = kind_called(verb, which);
  if (!kind)
    return std::nullopt;
  auto result = disk_fault{.what = *kind, .error = error_called(error)};
  if (which == "from")
    result.calls = std::numeric_limits<uint64_t>::max();
  const auto* const end = digits.data() + digits.size();
  const auto [stop, problem] =
    std::from_chars(digits.data(), end, result.number);
  if (problem != std::errc{} || stop != end)
    return std::nullopt;
  if ((verb == "fail") != (result.error != 0))
    return std::nullopt;
  return result;
}

int disk_breaker::before(const disk::call& x) {
  using enum disk_fault::kind;
  const auto number = ++count_;
  if (fault_.number == 0 || number < fault_.number)
    return 0;
  if (fault_.what == kill_before && number == fault_.number)
    std::raise(SIGKILL);
  if (fault_.what != fail || number - fault_.number >= fault_.calls)
    return 0;
  ++failed_;
  failed_acts_ |= uint64_t{1} << static_cast<unsigned>(x.what);
  return fault_.error;
}

void disk_breaker::after(const disk::call&, int64_t) {
  if (count_ == fault_.number && fault_.what == disk_fault::kind::kill_after)
    std::raise(SIGKILL);
}

disk::watch* fault_of_environment() {
  static const auto fault = parse_disk_fault(wanted_fault());
  static disk_breaker breaker{fault.value_or(disk_fault{})};
  return fault ? &breaker : nullptr;
}

} // namespace forkfleet
