// SPDX-License-Identifier: Apache-2.0
// Requests of one side of a connection that the other has not answered: an
// answer is believed only while its question stands here. Pure.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <utility>

#include "actors/link/content_check.hpp"

namespace forkfleet {

/// Bounded: the oldest question makes room for a new one, and none stands for
/// longer than any request may take.
class open_questions {
public:
  using time_point = std::chrono::steady_clock::time_point;

  struct entry {
    const question* what = nullptr;
    /// The request's whole id, as it was sent.
    uint64_t data = 0;
    time_point until = {};
    uint64_t order = 0;
  };

  /// Keeps at most `kept_max`, each for at most `patience`.
  open_questions(std::size_t kept_max, std::chrono::milliseconds patience)
    : kept_max_(kept_max), patience_(patience) {
    // nop
  }

  /// The actor `asker` has asked by the message `data`. False when the same
  /// request stands already; then nothing changes.
  bool add(uint64_t asker, uint64_t data, const question& what, time_point now);

  /// The question, if it stands.
  const entry* find(uint64_t asker, uint64_t data) const;

  /// Takes the question away, and returns it if it stood.
  std::optional<entry> take(uint64_t asker, uint64_t data);

  /// Takes away what has stood for too long; returns how many.
  std::size_t expire(time_point now);

  std::size_t size() const { return entries_.size(); }
  /// How many of them wait for events.
  std::size_t waiting_for_events() const { return waiting_for_events_; }

private:
  using key = std::pair<uint64_t, uint64_t>;

  void drop(std::map<key, entry>::iterator at);

  std::size_t kept_max_;
  std::chrono::milliseconds patience_;
  std::size_t waiting_for_events_ = 0;
  uint64_t orders_ = 0;
  std::map<key, entry> entries_;
  std::map<uint64_t, key> by_age_;
};

} // namespace forkfleet
