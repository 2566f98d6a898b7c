// SPDX-License-Identifier: Apache-2.0
#include "node/qemu/delta_sink.hpp"

#include <algorithm>
#include <cstring>

#include "node/qemu/page_writer.hpp"

namespace forkfleet::qemu {

namespace {

constexpr uint64_t window_bytes = 1ull << 20;

} // namespace

// Calls `pass` for each run of pages that differ from the base's, or did when
// they came before.
template <class Differs, class Pass>
status delta_sink::pass_on(memory_range range, Differs differs, Pass pass) {
  while (range.begin < range.end) {
    const auto size = std::min(range.bytes(), window_bytes);
    old_.resize(size);
    if (auto done = base_->read(range.begin, old_); !done)
      return done;
    const auto end = range.begin + size;
    for (auto at = range.begin; at < end;) {
      auto run = memory_range{at, at};
      const auto differs_at = [&](uint64_t address) {
        return passed_.has(address)
               || differs(address, std::span{old_}.subspan(
                                     address - range.begin, guest_page_bytes));
      };
      while (run.end < end && differs_at(run.end))
        run.end += guest_page_bytes;
      if (run.bytes() > 0) {
        passed_.add(run);
        if (auto done = pass(run); !done)
          return done;
      }
      at = run.end + guest_page_bytes;
    }
    range.begin = end;
  }
  return {};
}

status delta_sink::write(uint64_t address, std::span<const uint8_t> bytes) {
  auto page_of = [&](uint64_t at, uint64_t size) {
    return bytes.subspan(at - address, size);
  };
  return pass_on(
    {address, address + bytes.size()},
    [&](uint64_t at, std::span<const uint8_t> old) {
      return std::memcmp(page_of(at, guest_page_bytes).data(), old.data(),
                         guest_page_bytes)
             != 0;
    },
    [&](memory_range run) {
      return next_->write(run.begin, page_of(run.begin, run.bytes()));
    });
}

status delta_sink::zero(memory_range range) {
  return pass_on(
    range,
    [](uint64_t, std::span<const uint8_t> old) { return !is_zero_page(old); },
    [&](memory_range run) { return next_->zero(run); });
}

} // namespace forkfleet::qemu
