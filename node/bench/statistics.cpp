// SPDX-License-Identifier: Apache-2.0
#include "node/bench/statistics.hpp"

#include <algorithm>

namespace forkfleet::bench {

microseconds quantile(time_series series, unsigned percent) {
  if (series.empty())
    return microseconds{0};
  const auto rank = (series.size() * std::min(percent, 100u) + 99) / 100;
  const auto at =
    series.begin()
    + static_cast<std::ptrdiff_t>(std::max<std::size_t>(rank, 1) - 1);
  std::nth_element(series.begin(), at, series.end());
  return *at;
}

summary summarize(const time_series& series) {
  if (series.empty())
    return {};
  const auto middle =
    series.begin() + static_cast<std::ptrdiff_t>(series.size() / 2);
  return {.count = series.size(),
          .p50 = quantile(series, 50),
          .p90 = quantile(series, 90),
          .max = quantile(series, 100),
          .first_half_p50 = quantile({series.begin(), middle}, 50),
          .second_half_p50 = quantile({middle, series.end()}, 50)};
}

double ratio(microseconds a, microseconds b) {
  return static_cast<double>(a.count())
         / static_cast<double>(std::max<int64_t>(b.count(), 1));
}

std::vector<std::size_t> rotated(std::size_t count, std::size_t round) {
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < count; ++i)
    order.push_back((round + i) % count);
  return order;
}

} // namespace forkfleet::bench
