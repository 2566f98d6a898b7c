// SPDX-License-Identifier: Apache-2.0
// For which hosts a message of a node speaks: collected by the same field
// table that the message's form is walked by, so that no field of a host's
// name can be forgotten. Knows no CAF.
#pragma once

#include <string_view>
#include <tuple>
#include <type_traits>

#include "actors/ids.hpp"
#include "actors/schema/fields.hpp"

namespace forkfleet {

/// Fed with each host's name that stands in a message, in order.
class host_claims {
public:
  /// `own` is the host that the message may speak for; it outlives this.
  explicit host_claims(std::string_view own) : own_(own) {}

  void note(std::string_view host) {
    if (count_++ == 0)
      first_ = host;
    // A thing within a message may leave its host out: it is the message's.
    if (!host.empty() && host != own_)
      is_foreign_ = true;
  }

  /// The message's own host; empty when it names none.
  std::string_view first() const { return first_; }
  /// Whether it names another host.
  bool is_foreign() const { return is_foreign_; }

private:
  std::string_view own_;
  std::string_view first_;
  std::size_t count_ = 0;
  bool is_foreign_ = false;
};

/// Whether the first host's name in a `T` is a field of its own, not of
/// something within it: such a message always says who speaks.
template <schema::described T>
constexpr bool says_who_speaks() {
  auto result = false;
  schema::for_each_field<T>([&result](const auto& entry) {
    using member = std::decay_t<decltype(T{}.*(entry.member))>;
    result = result || std::is_same_v<member, host_name>;
  });
  return result;
}

} // namespace forkfleet
