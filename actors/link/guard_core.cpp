// SPDX-License-Identifier: Apache-2.0
#include "actors/link/guard_core.hpp"

#include "actors/log.hpp"

namespace forkfleet {

bool peer_book::bind(const std::string& node, const std::string& identity) {
  const auto lock = std::lock_guard{mutex_};
  auto& x = entries_[node];
  if (x.connections > 0 && x.identity != identity)
    return false;
  x.identity = identity;
  ++x.connections;
  return true;
}

void peer_book::unbind(const std::string& node) {
  const auto lock = std::lock_guard{mutex_};
  const auto at = entries_.find(node);
  if (at != entries_.end() && --at->second.connections == 0)
    entries_.erase(at);
}

std::string peer_book::identity_of(std::string_view node) const {
  const auto lock = std::lock_guard{mutex_};
  const auto at = entries_.find(node);
  return at == entries_.end() ? std::string{} : at->second.identity;
}

link_counters guard_counts::read() const {
  return {.accepted = accepted,
          .over_cap = over_cap,
          .handshakes_refused = handshakes_refused,
          .frames_refused = frames_refused,
          .timed_out = timed_out,
          .frames_passed = frames_passed,
          .answers_refused = answers_refused,
          .requests_refused = requests_refused,
          .too_big = too_big,
          .open = open};
}

void guard_core::note_ending(ending how, const std::string& peer,
                             const std::string& identity, const failure& why) {
  switch (how) {
    case ending::closed:
      return;
    case ending::handshake_refused:
      ++counts.handshakes_refused;
      break;
    case ending::frame_refused:
      ++counts.frames_refused;
      break;
    case ending::timed_out:
      ++counts.timed_out;
      break;
    case ending::over_cap:
      ++counts.over_cap;
      break;
  }
  log::warn("connection.refused",
            {{"peer", peer}, {"identity", identity}, {"reason", why.message}});
}

} // namespace forkfleet
