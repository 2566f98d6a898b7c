// SPDX-License-Identifier: Apache-2.0
#include "node/pause_history.hpp"

#include <algorithm>
#include <cmath>

namespace forkfleet {

namespace {

/// Sizes that differ by less than this share tell nothing about the time that
/// a byte takes.
constexpr double bytes_apart = 0.25;

/// A measured pause of at least this share of the predicted one bears it out.
constexpr int64_t borne_out_divisor = 2;

using samples = std::deque<pause_sample>;

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<int64_t>(values.size() / 2);
  std::ranges::nth_element(values, middle);
  return *middle;
}

double micros(const pause_sample& x) {
  return static_cast<double>(x.pause.count());
}

/// Microseconds that a byte takes: the median over all pairs whose sizes are
/// apart; a few pauses that the host disturbed do not count. Empty where all
/// are of about one size.
std::optional<double> slope_of(const samples& all) {
  auto slopes = std::vector<double>{};
  for (std::size_t i = 0; i < all.size(); ++i)
    for (std::size_t j = 0; j < i; ++j) {
      const auto x = static_cast<double>(all[i].bytes);
      const auto y = static_cast<double>(all[j].bytes);
      if (std::abs(x - y) > bytes_apart * std::max(x, y))
        slopes.push_back((micros(all[i]) - micros(all[j])) / (x - y));
    }
  if (slopes.empty())
    return {};
  return std::max(0.0, median(std::move(slopes)));
}

/// Of one size only: as long for less, and longer in proportion for more.
double scaled(const samples& all, double bytes) {
  auto pauses = std::vector<double>{};
  auto sizes = std::vector<double>{};
  for (const auto& x : all) {
    pauses.push_back(micros(x));
    sizes.push_back(static_cast<double>(x.bytes));
  }
  const auto usual = std::max(1.0, median(std::move(sizes)));
  return median(std::move(pauses)) * std::max(1.0, bytes / usual);
}

double estimate(const samples& all, double bytes) {
  const auto slope = slope_of(all);
  if (!slope)
    return scaled(all, bytes);
  auto bases = std::vector<double>{};
  for (const auto& x : all)
    bases.push_back(micros(x) - *slope * static_cast<double>(x.bytes));
  return std::max(0.0, median(std::move(bases))) + *slope * bytes;
}

} // namespace

const pause_history::row* pause_history::find(const pause_kind& kind) const {
  const auto found = std::ranges::find(rows_, kind, &row::kind);
  return found == rows_.end() ? nullptr : &*found;
}

pause_history::row& pause_history::row_of(const pause_kind& kind) {
  auto found = std::ranges::find(rows_, kind, &row::kind);
  if (found == rows_.end() && rows_.size() >= kinds_max) {
    found = std::ranges::min_element(rows_, {}, &row::used);
    *found = {.kind = kind};
  } else if (found == rows_.end()) {
    rows_.push_back({.kind = kind});
    found = std::prev(rows_.end());
  }
  found->used = ++uses_;
  return *found;
}

void pause_history::begin(const pause_kind& kind) {
  const auto known = std::ranges::find(rows_, kind, &row::kind);
  if (known == rows_.end() || known->refusals == 0)
    return;
  known->due_after = std::min(known->due_after * 2, refusals_max);
  known->refusals = 0;
}

void pause_history::learn(const pause_kind& kind, const pause_sample& sample) {
  auto& known = row_of(kind);
  if (sample.pause < known.refused_for / borne_out_divisor)
    known.due_after = refusals_first;
  known.refused_for = {};
  known.samples.push_back(sample);
  if (known.samples.size() > samples_max)
    known.samples.pop_front();
}

std::optional<pause_prediction> pause_history::predict(const pause_kind& kind,
                                                       uint64_t bytes) const {
  const auto* known = find(kind);
  if (known == nullptr || known->samples.empty())
    return {};
  // An hour is longer than any pause may be.
  constexpr double most = 3.6e9;
  const auto pause =
    std::clamp(estimate(known->samples, static_cast<double>(bytes)), 0.0, most);
  return pause_prediction{microseconds{std::llround(pause)},
                          known->samples.size()};
}

std::optional<uint64_t>
pause_history::usual_bytes(const pause_kind& kind) const {
  const auto* known = find(kind);
  if (known == nullptr || known->samples.empty())
    return {};
  auto sizes = std::vector<uint64_t>{};
  for (const auto& x : known->samples)
    sizes.push_back(x.bytes);
  const auto middle = sizes.begin() + static_cast<int64_t>(sizes.size() / 2);
  std::ranges::nth_element(sizes, middle);
  return *middle;
}

void pause_history::refused(const pause_kind& kind, microseconds predicted) {
  auto& known = row_of(kind);
  known.refusals = std::min(known.refusals + 1, refusals_max);
  known.refused_for = predicted;
}

bool pause_history::is_due(const pause_kind& kind) const {
  const auto* known = find(kind);
  return known != nullptr && known->refusals >= known->due_after;
}

uint64_t pause_history::refusals(const pause_kind& kind) const {
  const auto* known = find(kind);
  return known == nullptr ? 0 : known->refusals;
}

} // namespace forkfleet
