// SPDX-License-Identifier: Apache-2.0
#include "node/storage/diff_sink.hpp"

#include <array>

#include "node/storage/file.hpp"
#include "node/storage/reservation.hpp"
#include "node/storage/zeros.hpp"

namespace forkfleet {

namespace {

constexpr std::array<uint8_t, guest_page_bytes> zero_page{};

std::span<const uint8_t> page_of(std::span<const uint8_t> bytes,
                                 std::size_t number) {
  return bytes.subspan(number * guest_page_bytes, guest_page_bytes);
}

/// A bound for what stands around so much data.
uint64_t table_bytes_max(uint64_t data_bytes) {
  return diff_file_bytes(data_bytes, data_bytes / guest_page_bytes)
         - data_bytes;
}

} // namespace

status diff_sink::check(memory_range range) const {
  if (range.begin % guest_page_bytes != 0 || range.end % guest_page_bytes != 0
      || range.begin > range.end || range.end > subject_.memory_bytes)
    return fail(ec::invalid_request,
                path_ + ": bytes " + std::to_string(range.begin) + " to "
                  + std::to_string(range.end) + " are no pages of a guest of "
                  + std::to_string(subject_.memory_bytes));
  return {};
}

bool diff_sink::is_packed(uint64_t page) const {
  return slots_.get(page) < page_slots::zeros;
}

status diff_sink::write(uint64_t address, std::span<const uint8_t> bytes) {
  auto done = check({address, address + bytes.size()});
  auto page = address / guest_page_bytes;
  while (done && !bytes.empty()) {
    std::size_t pages = 1;
    if (is_packed(page)) {
      pages = packed_pages(page, bytes.size() / guest_page_bytes);
      done = put(slots_.get(page), bytes.first(pages * guest_page_bytes));
    } else if (pages = new_pages(page, bytes); pages != 0) {
      done = append_pages(page, bytes.first(pages * guest_page_bytes));
    } else {
      pages = 1;
      slots_.set(page, page_slots::zeros);
    }
    page += pages;
    bytes = bytes.subspan(pages * guest_page_bytes);
  }
  return done;
}

/// How many pages from here on have no place in the file and need one.
std::size_t diff_sink::new_pages(uint64_t page,
                                 std::span<const uint8_t> bytes) const {
  std::size_t result = 0;
  while (result < bytes.size() / guest_page_bytes && !is_packed(page + result)
         && !is_zero(page_of(bytes, result)))
    ++result;
  return result;
}

/// How many pages from here on, at most so many, lie side by side.
std::size_t diff_sink::packed_pages(uint64_t page,
                                    std::size_t pages_max) const {
  const auto first = slots_.get(page);
  std::size_t result = 1;
  while (result < pages_max && slots_.get(page + result) == first + result
         && is_packed(page + result))
    ++result;
  return result;
}

status diff_sink::append_pages(uint64_t page, std::span<const uint8_t> bytes) {
  const auto pages = bytes.size() / guest_page_bytes;
  if (pages >= page_slots::zeros - slots_used_)
    return fail(ec::unsupported, path_ + " cannot hold more pages");
  if (auto done = put(slots_used_, bytes); !done)
    return done;
  for (std::size_t i = 0; i < pages; ++i)
    slots_.set(page + i, slots_used_++);
  return {};
}

status diff_sink::put(uint32_t slot, std::span<const uint8_t> bytes) {
  auto done = write_at(
    fd_, bytes, diff_data_offset + uint64_t{slot} * guest_page_bytes, path_);
  if (done) {
    written_ += bytes.size();
    debt_.add(bytes.size());
  }
  return done;
}

status diff_sink::zero(memory_range range) {
  auto done = check(range);
  const auto end = range.end / guest_page_bytes;
  for (auto page = range.begin / guest_page_bytes; done && page < end; ++page)
    if (is_packed(page))
      done = put(slots_.get(page), zero_page);
    else
      slots_.set(page, page_slots::zeros);
  return done;
}

status diff_sink::expect(uint64_t bytes) {
  const auto data = data_bytes() + bytes;
  const auto wanted = data + table_bytes_max(data);
  if (wanted <= reserved_ || outcome_ == reserve_outcome::unsupported)
    return {};
  const auto [outcome, error] = reserve(fd_, wanted, reserve_shape::at_most);
  outcome_ = outcome;
  if (outcome == reserve_outcome::unsupported)
    return {};
  if (outcome != reserve_outcome::reserved)
    return tl::unexpected<failure>(errno_failure(
      error, "reserve " + std::to_string(wanted) + " bytes for " + path_));
  reserved_ = wanted;
  return {};
}

expected<std::vector<diff_run>> diff_sink::runs() const {
  std::vector<diff_run> result;
  slots_.for_each([&result](uint64_t page, uint32_t slot) {
    diff_run next{page * guest_page_bytes, guest_page_bytes, 0};
    if (slot != page_slots::zeros)
      next.offset = diff_data_offset + uint64_t{slot} * guest_page_bytes;
    if (!result.empty() && result.back().end() == next.address) {
      auto& last = result.back();
      const auto goes_on = last.is_zeros() ? 0 : last.offset + last.bytes;
      if (next.offset == goes_on) {
        last.bytes += next.bytes;
        return;
      }
    }
    result.push_back(next);
  });
  if (result.size() > diff_runs_max)
    return fail(ec::unsupported,
                path_ + " would have " + std::to_string(result.size())
                  + " runs, at most " + std::to_string(diff_runs_max)
                  + "; take a full snapshot");
  return result;
}

expected<diff_table> diff_sink::finish() {
  auto found = runs();
  if (!found)
    return tl::unexpected<failure>(found.error());
  diff_table table{.memory_bytes = subject_.memory_bytes,
                   .base = subject_.base,
                   .data_bytes = data_bytes(),
                   .runs = std::move(*found)};
  const auto header = diff_header(table);
  if (auto done = write_at(fd_, header, 0, path_); !done)
    return tl::unexpected<failure>(done.error());
  auto digests = hash_extents({.fd = fd_,
                               .path = path_,
                               .bytes = table.data_bytes,
                               .offset = diff_data_offset,
                               .start_writeback = true});
  if (!digests)
    return tl::unexpected<failure>(digests.error());
  table.digests = std::move(*digests);
  const auto tail = diff_tail(table);
  if (!tail)
    return tl::unexpected<failure>(tail.error());
  const auto tail_at = diff_data_offset + table.data_bytes;
  auto done = write_at(fd_, *tail, tail_at, path_);
  if (done)
    done = give_back(fd_, tail_at + tail->size(), path_);
  if (!done)
    return tl::unexpected<failure>(done.error());
  debt_.add(header.size() + tail->size());
  return table;
}

} // namespace forkfleet
