// SPDX-License-Identifier: Apache-2.0
#include "actors/link/subject_book.hpp"

namespace forkfleet {

void subject_book::enter(const std::string& node, const access_subject& who) {
  const auto lock = std::lock_guard{mutex_};
  auto& x = entries_[node];
  if (x.connections == 0 || who.role < x.who.role)
    x.who = who;
  ++x.connections;
}

void subject_book::leave(const std::string& node) {
  const auto lock = std::lock_guard{mutex_};
  const auto at = entries_.find(node);
  if (at != entries_.end() && --at->second.connections == 0)
    entries_.erase(at);
}

access_subject subject_book::who_is(std::string_view node) const {
  const auto lock = std::lock_guard{mutex_};
  const auto at = entries_.find(node);
  return at == entries_.end() ? access_subject{} : at->second.who;
}

} // namespace forkfleet
