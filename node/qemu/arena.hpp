// SPDX-License-Identifier: Apache-2.0
// Prefaulted memory that a stopped copy goes to: as large as the guest's,
// kept between branches because filling page tables takes longer than the
// copy itself.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "actors/error.hpp"

namespace forkfleet::qemu {

/// Anonymous memory; every page is there.
class arena {
public:
  /// io_failed when the host has too little memory to spare.
  static expected<std::unique_ptr<arena>> make(uint64_t bytes);
  ~arena();
  arena(const arena&) = delete;
  arena& operator=(const arena&) = delete;

  std::span<uint8_t> bytes() const { return bytes_; }

private:
  explicit arena(std::span<uint8_t> bytes) : bytes_{bytes} {}
  std::span<uint8_t> bytes_;
};

/// The arenas of a driver. Thread-safe.
class arena_pool {
public:
  /// The most arenas that are kept while nobody uses them.
  static constexpr std::size_t kept_max = 2;

  /// One of at least `bytes`; its content is what the last user left.
  expected<std::unique_ptr<arena>> take(uint64_t bytes);

  /// Takes one back, or frees it when enough are kept.
  void give_back(std::unique_ptr<arena> x);

private:
  std::mutex mutex_ = {};
  std::vector<std::unique_ptr<arena>> kept_ = {};
};

} // namespace forkfleet::qemu
