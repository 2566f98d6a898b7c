// SPDX-License-Identifier: Apache-2.0
#include "node/qemu/arena.hpp"

#include <algorithm>
#include <cerrno>
#include <sys/mman.h>

#include <fmt/format.h>

#include "node/qemu/host_facts.hpp"

namespace forkfleet::qemu {

namespace {

// What must stay free beside an arena.
constexpr uint64_t spare_bytes = 64ull << 20;

} // namespace

expected<std::unique_ptr<arena>> arena::make(uint64_t bytes) {
  const auto available = available_memory_bytes();
  if (available > 0 && available < bytes + spare_bytes)
    return fail(ec::io_failed,
                fmt::format("a stopped copy needs {} bytes of free memory, "
                            "the host has {}; take a live branch instead",
                            bytes + spare_bytes, available));
  void* start = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (start == MAP_FAILED)
    return tl::unexpected(errno_failure(errno, "memory for a stopped copy"));
  auto made = std::unique_ptr<arena>{
    new arena{std::span{static_cast<uint8_t*>(start), bytes}}};
  // Huge pages are a matter of speed only.
  ::madvise(start, bytes, MADV_HUGEPAGE);
  ::madvise(start, bytes, MADV_DONTDUMP);
  if (::madvise(start, bytes, MADV_POPULATE_WRITE) != 0)
    return tl::unexpected(errno_failure(errno, "memory for a stopped copy"));
  return made;
}

arena::~arena() {
  ::munmap(bytes_.data(), bytes_.size());
}

expected<std::unique_ptr<arena>> arena_pool::take(uint64_t bytes) {
  {
    const auto lock = std::lock_guard{mutex_};
    const auto found =
      std::find_if(kept_.begin(), kept_.end(), [bytes](const auto& x) {
        return x->bytes().size() >= bytes;
      });
    if (found != kept_.end()) {
      auto result = std::move(*found);
      kept_.erase(found);
      return result;
    }
  }
  return arena::make(bytes);
}

void arena_pool::give_back(std::unique_ptr<arena> x) {
  const auto lock = std::lock_guard{mutex_};
  if (!x)
    return;
  kept_.push_back(std::move(x));
  // The oldest goes: it has the size that was not asked for lately.
  if (kept_.size() > kept_max)
    kept_.erase(kept_.begin());
}

} // namespace forkfleet::qemu
