// SPDX-License-Identifier: Apache-2.0
#include "examples/watch_log.hpp"

#include <algorithm>

namespace forkfleet::guest {

namespace {

using std::chrono::microseconds;
using std::chrono::nanoseconds;

constexpr size_t text_max = 256;

bool is_earlier(const tick& x, host_time when) {
  return x.at < when;
}

microseconds to_microseconds(uint64_t x) {
  return microseconds(static_cast<int64_t>(x));
}

} // namespace

void watch_log::feed(std::span<const uint8_t> bytes, host_time now) {
  pending_.insert(pending_.end(), bytes.begin(), bytes.end());
  size_t at = 0;
  while (pending_.size() - at >= record_size) {
    const auto window = std::span(pending_).subspan(at).first<record_size>();
    if (const auto found = decode(window)) {
      take(*found, now);
      at += record_size;
    } else {
      ++stray_bytes_;
      ++at;
    }
  }
  // What cannot begin a record is dropped here, so that the next read ends
  // where a record ends.
  while (at < pending_.size() && pending_[at] != record_sync) {
    ++stray_bytes_;
    ++at;
  }
  pending_.erase(pending_.begin(),
                 pending_.begin() + static_cast<std::ptrdiff_t>(at));
}

std::optional<tick> watch_log::last() const {
  return ticks_.empty() ? std::nullopt : std::optional(ticks_.back());
}

std::optional<tick> watch_log::last_before(host_time when) const {
  const auto at =
    std::lower_bound(ticks_.begin(), ticks_.end(), when, is_earlier);
  return at == ticks_.begin() ? std::nullopt : std::optional(*(at - 1));
}

std::optional<tick> watch_log::first_after(host_time when) const {
  const auto at =
    std::lower_bound(ticks_.begin(), ticks_.end(), when, is_earlier);
  return at == ticks_.end() ? std::nullopt : std::optional(*at);
}

silence watch_log::longest_silence(host_time from, host_time to) const {
  auto at = std::lower_bound(ticks_.begin(), ticks_.end(), from, is_earlier);
  auto heard = at == ticks_.begin() ? from : (at - 1)->at;
  silence longest{heard, heard};
  for (; at != ticks_.end(); ++at) {
    if (at->at - heard > longest.duration())
      longest = {heard, at->at};
    heard = at->at;
    if (heard >= to)
      return longest;
  }
  if (to - heard > longest.duration())
    longest = {heard, to};
  return longest;
}

silence_summary watch_log::silences(host_time from, host_time to) const {
  auto at = std::lower_bound(ticks_.begin(), ticks_.end(), from, is_earlier);
  std::vector<nanoseconds> all;
  silence_summary out;
  for (; at != ticks_.end() && at + 1 != ticks_.end() && (at + 1)->at <= to;
       ++at) {
    const silence x{at->at, (at + 1)->at};
    all.push_back(x.duration());
    if (x.duration() > out.longest.duration())
      out.longest = x;
  }
  out.count = all.size();
  if (all.empty())
    return out;
  std::sort(all.begin(), all.end());
  out.p50 = all[all.size() / 2];
  out.p99 = all[all.size() * 99 / 100];
  return out;
}

void watch_log::take(const record& x, host_time now) {
  state_.errors = x.errors;
  switch (x.kind) {
    case record_kind::tick:
      take_tick({x.value, to_microseconds(x.detail), now});
      break;
    case record_kind::gap:
      state_.gaps = x.value;
      state_.largest_gap = to_microseconds(x.detail);
      break;
    case record_kind::lost:
      state_.seconds_watched = x.value;
      state_.lost = to_microseconds(x.detail);
      break;
    case record_kind::sweep:
      state_.sweeps = x.value;
      state_.pages_checked = x.detail;
      break;
    case record_kind::text_begin:
      text_.clear();
      take_text(x);
      break;
    case record_kind::text_more:
      take_text(x);
      break;
  }
}

void watch_log::take_tick(const tick& x) {
  if (!first_)
    first_ = x;
  if (!ticks_.empty() && x.counter != ticks_.back().counter + 1)
    ++leaps_;
  ++heard_;
  ticks_.push_back(x);
  if (ticks_.size() > ticks_max)
    ticks_.pop_front();
}

void watch_log::take_text(const record& x) {
  const auto bytes = encode(x);
  for (size_t i = 0; i < record_text_size; ++i) {
    const auto c = static_cast<char>(bytes[3 + i]);
    if (c == '\0' || text_.size() == text_max) {
      state_.first_error = text_;
      return;
    }
    text_.push_back(c);
  }
}

} // namespace forkfleet::guest
