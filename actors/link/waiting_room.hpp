// SPDX-License-Identifier: Apache-2.0
// Connections that have not shown yet who they are. When there are too many,
// the oldest of the address that has most of them must go: a sound peer is
// through in milliseconds, and is not crowded out by idle ones. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace forkfleet {

class waiting_room {
public:
  /// At most `all_max`, and at most `address_max` of one address.
  waiting_room(std::size_t all_max, std::size_t address_max)
    : all_max_(all_max), address_max_(address_max) {
    // nop
  }

  /// One more connection, of `address`, by a number that grows. Returns the
  /// one that must be closed for it, which is no longer waiting then.
  std::optional<uint64_t> enter(uint64_t number, const std::string& address);

  /// It has shown who it is, or has ended. No effect on others.
  void leave(uint64_t number);

  std::size_t size() const { return waiting_.size(); }

private:
  std::optional<uint64_t> oldest_of(const std::string& address) const;

  std::size_t all_max_;
  std::size_t address_max_;
  std::map<uint64_t, std::string> waiting_;
  std::map<std::string, std::size_t> by_address_;
};

} // namespace forkfleet
