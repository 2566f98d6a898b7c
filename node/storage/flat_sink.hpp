// SPDX-License-Identifier: Apache-2.0
// A flat image of a guest's memory in one file: each page at its address.
// Knows no CAF.
#pragma once

#include <string>
#include <vector>

#include "node/memory_image.hpp"
#include "node/storage/write_debt.hpp"

namespace forkfleet {

/// What a flat file holds at first.
enum class flat_origin : uint8_t {
  fresh,  // reads as zeros; its space is reserved
  cloned, // shares the blocks of another image
};

/// Writes into an open file that has its full size and belongs to the caller.
/// `path` is for messages.
class flat_sink final : public memory_sink {
public:
  flat_sink(int fd, std::string path, uint64_t memory_bytes, flat_origin origin,
            std::shared_ptr<write_debt> debt = {});

  status write(uint64_t address, std::span<const uint8_t> bytes) override;

  /// In a fresh file only what was written before is overwritten; in a
  /// cloned one the range becomes a hole.
  status zero(memory_range range) override;

  /// A fresh file has its space. A cloned one cannot reserve any: what it
  /// will take must be free now.
  status expect(uint64_t bytes) override;

  uint64_t written_bytes() const override { return written_; }

  /// Frees what was reserved in a fresh file and never written, in runs that
  /// are long enough not to fragment it. It reads as zeros as before.
  status give_back_unwritten();

  /// The extents of a cloned file that may differ from their origin.
  const std::vector<bool>& touched() const { return touched_; }

  /// The file was synced.
  void note_synced() { debt_.pay_all(); }

private:
  status check(memory_range range) const;
  status put(uint64_t address, std::span<const uint8_t> bytes);
  status put_zeros(memory_range range);
  void note(memory_range range);

  int fd_;
  std::string path_;
  uint64_t memory_bytes_;
  flat_origin origin_;
  debt_share debt_;
  uint64_t written_ = 0;
  std::vector<bool> pages_ = {};   // of a fresh file: written
  std::vector<bool> touched_ = {}; // of a cloned one
};

} // namespace forkfleet
