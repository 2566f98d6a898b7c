// SPDX-License-Identifier: Apache-2.0
// The memory of the snapshots on a simulated disk: flat files, and packed
// pages over another snapshot.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "actors/unique_fd.hpp"
#include "node/memory_image.hpp"
#include "node/snapshot_store.hpp"

namespace forkfleet::test {

using file_ptr = std::shared_ptr<unique_fd>;

/// A file that lies in memory, of so many zeros.
file_ptr make_file(uint64_t bytes);

/// Its path, as long as it is open.
std::string path_of(const file_ptr& file);

/// Where the bytes of one page lie; no file: they are zeros.
struct page_place {
  file_ptr file = {};
  uint64_t offset = 0;
};

/// All pages of a guest's memory, in order.
using page_places = std::vector<page_place>;

/// A flat file's.
page_places places_in(const file_ptr& flat, uint64_t bytes);

/// The places with those of `changed`, by address, in their stead.
page_places overlay(page_places base,
                    const std::map<uint64_t, page_place>& changed);

/// What a child maps; `flat` lies at the end of the chain.
memory_layout layout_of(const page_places& places, const file_ptr& flat);

/// What a reader reads.
memory_image_ptr image_of(page_places places);

/// The same bytes in one flat file.
file_ptr flatten(const page_places& places);

/// Takes the pages of a branch in the making, in either form.
class simulated_sink : public memory_sink {
public:
  /// `flat`: each page at its address; otherwise one behind the other.
  simulated_sink(file_ptr file, bool flat)
    : file_{std::move(file)}, flat_{flat} {}

  status write(uint64_t address, std::span<const uint8_t> bytes) override;
  status zero(memory_range range) override;
  status expect(uint64_t) override { return {}; }
  uint64_t written_bytes() const override { return written_; }

  /// Where each page lies that was written.
  const std::map<uint64_t, page_place>& changed() const { return changed_; }

private:
  file_ptr file_;
  bool flat_;
  uint64_t written_ = 0;
  uint64_t end_ = 0;
  std::map<uint64_t, page_place> changed_ = {};
};

} // namespace forkfleet::test
