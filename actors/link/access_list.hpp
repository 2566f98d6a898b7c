// SPDX-License-Identifier: Apache-2.0
// Who is turned away although he can prove himself: the fleet file's list of
// names and serial numbers. Knows neither CAF nor sockets.
#pragma once

#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "actors/access.hpp"

namespace forkfleet {

/// Before a certificate's serial number in the list.
inline constexpr std::string_view serial_prefix = "serial:";

/// Whether `entry` may stand in the list: "client:NAME", "node:NAME",
/// "token:NAME", or "serial:" and hex digits, colons between them allowed.
bool is_denial(std::string_view entry);

/// May be replaced while it is asked; safe from any thread.
class access_list {
public:
  /// From now on these are denied, and no others. Entries that are none
  /// deny nobody.
  void deny(const std::vector<std::string>& entries);

  bool is_denied(const access_subject& x) const;

private:
  mutable std::mutex mutex_;
  std::set<std::string, std::less<>> names_;
  std::set<std::string, std::less<>> serials_;
};

} // namespace forkfleet
