// SPDX-License-Identifier: Apache-2.0
// Writes a memory.diff: pages are appended in the order of their arrival, and
// what is said later of a page replaces it in place. Knows no CAF.
#pragma once

#include <string>

#include "actors/branch_protocol.hpp"
#include "node/memory_image.hpp"
#include "node/storage/diff_format.hpp"
#include "node/storage/page_slots.hpp"
#include "node/storage/write_debt.hpp"

namespace forkfleet {

/// Whose changes a diff holds.
struct diff_subject {
  uint64_t memory_bytes = 0;
  sha256 base = {}; // root hash
};

/// The file `fd` is empty and belongs to the caller; `path` is for messages.
class diff_sink final : public memory_sink {
public:
  diff_sink(int fd, std::string path, diff_subject subject,
            std::shared_ptr<write_debt> debt = {})
    : fd_{fd}, path_{std::move(path)}, subject_{subject}, debt_{
                                                            std::move(debt)} {}

  /// A page of zeros that has no place in the file takes none.
  status write(uint64_t address, std::span<const uint8_t> bytes) override;
  status zero(memory_range range) override;

  /// Reserves behind what is written. A file system that cannot reserve is
  /// no failure.
  status expect(uint64_t bytes) override;

  uint64_t written_bytes() const override { return written_; }

  /// How much is reserved from the file's begin on, and what the last try
  /// came to.
  uint64_t reserved_bytes() const { return reserved_; }
  reserve_outcome outcome() const { return outcome_; }

  /// Hashes the data, beginning to write it out on the way, writes what
  /// stands around it, and frees what was reserved beyond. Not synced.
  expected<diff_table> finish();

  /// The file was synced.
  void note_synced() { debt_.pay_all(); }

private:
  status check(memory_range range) const;
  bool is_packed(uint64_t page) const;
  std::size_t new_pages(uint64_t page, std::span<const uint8_t> bytes) const;
  std::size_t packed_pages(uint64_t page, std::size_t pages_max) const;
  status append_pages(uint64_t page, std::span<const uint8_t> bytes);
  status put(uint32_t slot, std::span<const uint8_t> bytes);
  expected<std::vector<diff_run>> runs() const;
  uint64_t data_bytes() const {
    return uint64_t{slots_used_} * guest_page_bytes;
  }

  int fd_;
  std::string path_;
  diff_subject subject_;
  debt_share debt_;
  page_slots slots_ = {};
  uint32_t slots_used_ = 0;
  uint64_t written_ = 0;
  uint64_t reserved_ = 0;
  reserve_outcome outcome_ = reserve_outcome::not_tried;
};

} // namespace forkfleet
