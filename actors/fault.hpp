// SPDX-License-Identifier: Apache-2.0
// Where tests and drills break a program: at named places, such as between
// two stages of a branch, and at any numbered call that changes the disk.
// Does nothing unless the environment asks for it. Knows no CAF.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string_view>

#include "actors/disk_calls.hpp"
#include "actors/error.hpp"

namespace forkfleet {

/// The environment variable that names the one fault to bring.
///
/// At a named place: `kill:PLACE` (SIGKILL to this process), `stop:PLACE`
/// (SIGSTOP), `fail:PLACE` (io_failed).
///
/// At the N-th call of actors/disk_calls.hpp, the first being 1: `kill:#N`
/// before it, `kill:after#N`, `fail:#N:ERROR` instead of it,
/// `fail:from#N:ERROR` instead of it and of all that follow. ERROR is ENOSPC,
/// EDQUOT, EIO, EINTR, EROFS or EOPNOTSUPP.
inline constexpr const char* fault_variable = "FORKFLEET_FAULT";

/// A place that faults can name, such as `seal.renamed`: what was done just
/// before it. Returns success unless the environment says `fail:` and this
/// place. Reads the environment only; cheap enough for the pause window.
status fault_point(std::string_view place);

/// A fault at a numbered call.
struct disk_fault {
  enum class kind : uint8_t { kill_before, kill_after, fail };
  kind what = kind::kill_before;
  uint64_t number = 0; // 0: never, calls are only counted
  int error = 0;       // of fail: the errno
  uint64_t calls = 1;  // of fail: so many fail, from `number` on

  friend bool operator==(const disk_fault&, const disk_fault&) = default;
};

/// The fault of a text like `kill:#N`; nothing for any other text.
std::optional<disk_fault> parse_disk_fault(std::string_view text);

/// Counts calls, and brings a fault.
class disk_breaker final : public disk::watch {
public:
  explicit disk_breaker(disk_fault fault) : fault_{fault} {}

  int before(const disk::call& x) override;
  void after(const disk::call& x, int64_t result) override;

  /// How many calls were seen. Those that were made to fail count, too.
  uint64_t count() const { return count_; }

  /// How many were made to fail.
  uint64_t failed() const { return failed_; }

  /// Whether one that does this was.
  bool has_failed(disk::act what) const {
    return (failed_acts_ >> static_cast<unsigned>(what) & 1) != 0;
  }

private:
  const disk_fault fault_;
  std::atomic<uint64_t> count_ = 0;
  std::atomic<uint64_t> failed_ = 0;
  std::atomic<uint64_t> failed_acts_ = 0; // a bit for each
};

/// The watch that brings the environment's fault at a numbered call;
/// nullptr when it asks for none. Reads the environment once.
disk::watch* fault_of_environment();

} // namespace forkfleet
