// SPDX-License-Identifier: Apache-2.0
#include "node/storage/flat_sink.hpp"

#include <algorithm>
#include <array>

#include "node/storage/file.hpp"
#include "node/storage/hash.hpp"
#include "node/storage/reservation.hpp"

namespace forkfleet {

namespace {

/// Shorter runs stay reserved.
constexpr uint64_t unwritten_run_bytes = 256u << 10;

} // namespace

flat_sink::flat_sink(int fd, std::string path, uint64_t memory_bytes,
                     flat_origin origin, std::shared_ptr<write_debt> debt)
  : fd_{fd}, path_{std::move(path)},
    memory_bytes_{memory_bytes}, origin_{origin}, debt_{std::move(debt)} {
  if (origin_ == flat_origin::fresh)
    pages_.resize(memory_bytes / guest_page_bytes + 1);
  else
    touched_.resize(extent_count(memory_bytes));
}

status flat_sink::check(memory_range range) const {
  if (range.begin % guest_page_bytes != 0 || range.end % guest_page_bytes != 0
      || range.begin > range.end || range.end > memory_bytes_)
    return fail(ec::invalid_request,
                path_ + ": bytes " + std::to_string(range.begin) + " to "
                  + std::to_string(range.end) + " are no pages of a guest of "
                  + std::to_string(memory_bytes_));
  return {};
}

status flat_sink::write(uint64_t address, std::span<const uint8_t> bytes) {
  const memory_range range{address, address + bytes.size()};
  auto done = check(range);
  if (done)
    done = put(address, bytes);
  if (done)
    note(range);
  return done;
}

status flat_sink::put(uint64_t address, std::span<const uint8_t> bytes) {
  auto done = write_at(fd_, bytes, address, path_);
  if (done) {
    written_ += bytes.size();
    debt_.add(bytes.size());
  }
  return done;
}

status flat_sink::put_zeros(memory_range range) {
  static constexpr std::array<uint8_t, 16 * guest_page_bytes> zeros{};
  status done;
  for (auto at = range.begin; done && at < range.end; at += zeros.size())
    done = put(at, std::span{zeros}.first(
                     std::min<uint64_t>(zeros.size(), range.end - at)));
  return done;
}

status flat_sink::zero(memory_range range) {
  if (auto good = check(range); !good)
    return good;
  if (origin_ == flat_origin::cloned) {
    note(range);
    const auto punched = punch_hole(fd_, range.begin, range.bytes(), path_);
    return !punched && punched.error().code == ec::unsupported
             ? put_zeros(range)
             : punched;
  }
  status done;
  for (auto at = range.begin; done && at < range.end; at += guest_page_bytes)
    if (pages_[at / guest_page_bytes])
      done = put_zeros({at, at + guest_page_bytes});
  return done;
}

status flat_sink::give_back_unwritten() {
  if (origin_ != flat_origin::fresh)
    return {};
  const auto pages = memory_bytes_ / guest_page_bytes;
  for (uint64_t page = 0; page < pages;) {
    auto end = page;
    while (end < pages && !pages_[end])
      ++end;
    const memory_range run{page * guest_page_bytes, end * guest_page_bytes};
    if (run.bytes() >= unwritten_run_bytes) {
      const auto freed = punch_hole(fd_, run.begin, run.bytes(), path_);
      // Where files have no holes, it stays as it is.
      if (!freed && freed.error().code == ec::unsupported)
        return {};
      if (!freed)
        return freed;
    }
    page = end + 1;
  }
  return {};
}

status flat_sink::expect(uint64_t bytes) {
  if (origin_ == flat_origin::fresh)
    return {};
  const auto available = available_bytes(path_);
  if (!available)
    return tl::unexpected<failure>(available.error());
  if (*available < bytes)
    return fail(ec::disk_full, path_ + " takes " + std::to_string(bytes)
                                 + " bytes: " + std::to_string(*available)
                                 + " are free");
  return {};
}

void flat_sink::note(memory_range range) {
  const bool is_fresh = origin_ == flat_origin::fresh;
  auto& marks = is_fresh ? pages_ : touched_;
  const auto unit = is_fresh ? guest_page_bytes : hash_extent_bytes;
  for (auto i = range.begin / unit; i * unit < range.end; ++i)
    marks[i] = true;
}

} // namespace forkfleet
