// SPDX-License-Identifier: Apache-2.0
// Passes on only the pages that differ from a base: makes a diff out of a
// capture that takes all of memory.
#pragma once

#include <vector>

#include "node/memory_image.hpp"
#include "node/qemu/page_set.hpp"

namespace forkfleet::qemu {

/// A sink before another one. Reads the base as pages come.
class delta_sink : public memory_sink {
public:
  delta_sink(memory_sink& next, memory_image_ptr base)
    : next_{&next}, base_{std::move(base)}, passed_{base_->bytes()} {}

  status write(uint64_t address, std::span<const uint8_t> bytes) override;
  status zero(memory_range range) override;
  status expect(uint64_t bytes) override { return next_->expect(bytes); }
  uint64_t written_bytes() const override { return next_->written_bytes(); }

private:
  template <class Differs, class Pass>
  status pass_on(memory_range range, Differs differs, Pass pass);

  memory_sink* next_;
  memory_image_ptr base_;
  page_set passed_;
  std::vector<uint8_t> old_ = {};
};

} // namespace forkfleet::qemu
