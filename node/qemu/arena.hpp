// SPDX-License-Identifier: Apache-2.0
// Prefaulted memory that captured pages go to, kept between branches because
// filling page tables takes longer than the copy itself.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "actors/error.hpp"

namespace forkfleet::qemu {

/// Anonymous memory, of which a part at the beginning is there for certain.
class arena {
public:
  /// Reserves addresses only.
  static expected<std::unique_ptr<arena>> make(uint64_t bytes);
  ~arena();
  arena(const arena&) = delete;
  arena& operator=(const arena&) = delete;

  std::span<uint8_t> bytes() const { return bytes_; }

  /// How much of it was made ready: can be written without a fault.
  uint64_t ready_bytes() const { return ready_; }

  /// Makes the first `bytes` ready. io_failed when the host has too little
  /// memory to spare.
  status make_ready(uint64_t bytes);

  /// Gives back what lies behind the first `bytes`.
  void trim(uint64_t bytes) noexcept;

private:
  explicit arena(std::span<uint8_t> bytes) : bytes_{bytes} {}
  std::span<uint8_t> bytes_;
  uint64_t ready_ = 0;
};

/// The arenas of a driver. Thread-safe.
class arena_pool {
public:
  /// The most arenas that are kept while nobody uses them.
  static constexpr std::size_t kept_max = 2;

  /// One of at least `bytes`, of which the first `ready_bytes` are ready; its
  /// content is what the last user left.
  expected<std::unique_ptr<arena>> take(uint64_t bytes, uint64_t ready_bytes);

  /// Takes one back, or frees it when enough are kept. Keeps of it what was
  /// made ready.
  void give_back(std::unique_ptr<arena> x);

private:
  std::unique_ptr<arena> take_kept(uint64_t bytes);

  std::mutex mutex_ = {};
  std::vector<std::unique_ptr<arena>> kept_ = {};
};

} // namespace forkfleet::qemu
