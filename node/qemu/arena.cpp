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

// As large as a huge page.
constexpr uint64_t ready_step = 2ull << 20;

} // namespace

expected<std::unique_ptr<arena>> arena::make(uint64_t bytes) {
  void* start = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (start == MAP_FAILED)
    return tl::unexpected(errno_failure(errno, "memory for captured pages"));
  // Huge pages are a matter of speed only.
  ::madvise(start, bytes, MADV_HUGEPAGE);
  ::madvise(start, bytes, MADV_DONTDUMP);
  return std::unique_ptr<arena>{
    new arena{std::span{static_cast<uint8_t*>(start), bytes}}};
}

status arena::make_ready(uint64_t bytes) {
  bytes = std::min((bytes + ready_step - 1) / ready_step * ready_step,
                   static_cast<uint64_t>(bytes_.size()));
  if (bytes <= ready_)
    return {};
  const auto more = bytes - ready_;
  const auto available = available_memory_bytes();
  if (available > 0 && available < more + spare_bytes)
    return fail(ec::io_failed,
                fmt::format("captured pages need {} bytes of free memory, the "
                            "host has {}",
                            more + spare_bytes, available));
  if (::madvise(bytes_.data() + ready_, more, MADV_POPULATE_WRITE) != 0)
    return tl::unexpected(errno_failure(errno, "memory for captured pages"));
  ready_ = bytes;
  return {};
}

void arena::trim(uint64_t bytes) noexcept {
  if (bytes < bytes_.size())
    ::madvise(bytes_.data() + bytes, bytes_.size() - bytes, MADV_DONTNEED);
  ready_ = std::min(ready_, bytes);
}

arena::~arena() {
  ::munmap(bytes_.data(), bytes_.size());
}

std::unique_ptr<arena> arena_pool::take_kept(uint64_t bytes) {
  const auto lock = std::lock_guard{mutex_};
  const auto found =
    std::find_if(kept_.begin(), kept_.end(),
                 [bytes](const auto& x) { return x->bytes().size() >= bytes; });
  if (found == kept_.end())
    return {};
  auto result = std::move(*found);
  kept_.erase(found);
  return result;
}

expected<std::unique_ptr<arena>> arena_pool::take(uint64_t bytes,
                                                  uint64_t ready_bytes) {
  auto result = take_kept(bytes);
  if (!result) {
    auto made = arena::make(bytes);
    if (!made)
      return made;
    result = std::move(*made);
  }
  if (auto ready = result->make_ready(ready_bytes); !ready)
    return tl::unexpected(ready.error());
  return result;
}

void arena_pool::give_back(std::unique_ptr<arena> x) {
  if (!x)
    return;
  x->trim(x->ready_bytes());
  const auto lock = std::lock_guard{mutex_};
  kept_.push_back(std::move(x));
  // The oldest goes: it has the size that was not asked for lately.
  if (kept_.size() > kept_max)
    kept_.erase(kept_.begin());
}

} // namespace forkfleet::qemu
