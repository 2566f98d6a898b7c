// SPDX-License-Identifier: Apache-2.0
// What the guard's connections share: limits, counts, and who is connected.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

#include "actors/error.hpp"
#include "actors/link/access_list.hpp"
#include "actors/link/limits.hpp"
#include "actors/link/places.hpp"
#include "actors/link/subject_book.hpp"

namespace forkfleet {

/// Which program is connected under which identity. Safe from any thread.
class peer_book {
public:
  /// Notes one more connection of the program `node`. False when it is
  /// already connected under another identity: then one of them lies.
  bool bind(const std::string& node, const std::string& identity);
  void unbind(const std::string& node);
  /// Empty when it is not connected.
  std::string identity_of(std::string_view node) const;

private:
  struct entry {
    std::string identity;
    int connections = 0;
  };
  mutable std::mutex mutex_;
  std::map<std::string, entry, std::less<>> entries_;
};

/// Counts since the start, written on the guard's thread, read by all.
struct guard_counts {
  std::atomic<uint64_t> accepted{0};
  std::atomic<uint64_t> over_cap{0};
  std::atomic<uint64_t> handshakes_refused{0};
  std::atomic<uint64_t> frames_refused{0};
  std::atomic<uint64_t> timed_out{0};
  std::atomic<uint64_t> frames_passed{0};
  std::atomic<uint64_t> answers_refused{0};
  std::atomic<uint64_t> requests_refused{0};
  std::atomic<uint64_t> too_big{0};
  std::atomic<uint64_t> open{0};

  link_counters read() const;
};

/// Why a connection ended.
enum class ending : uint8_t {
  /// The peer, CAF or we closed it in order, or it was lost.
  closed,
  handshake_refused,
  frame_refused,
  timed_out,
  /// No place was left for it.
  over_cap,
};

/// One per guard; outlives its connections.
struct guard_core {
  link_limits limits;
  std::string own_node;
  guard_counts counts;
  peer_book peers;
  access_list denied;
  subject_book subjects;
  places rooms{limits};
  std::size_t farewells = 0; // peers that are told why they were refused

  /// Counts a connection's end and logs a refusal.
  void note_ending(ending how, const std::string& peer,
                   const std::string& identity, const failure& why);
};

} // namespace forkfleet
