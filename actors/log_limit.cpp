// SPDX-License-Identifier: Apache-2.0
#include "actors/log_limit.hpp"

#include <algorithm>
#include <utility>

namespace forkfleet::log {

namespace {

constexpr std::size_t subjects_max = 64;
// Names of kinds stand in our sources; more would be a mistake of ours.
constexpr std::size_t kinds_max = 512;
constexpr std::string_view others = "others";

} // namespace

bool log_limit::take(std::string_view event, std::string_view subject,
                     time_point now) {
  auto at = kinds_.find(event);
  if (at == kinds_.end()) {
    const auto name = kinds_.size() < kinds_max ? event : others;
    at = kinds_.try_emplace(std::string{name}).first;
    at->second.all = {.left = rates_.burst * rates_.all_subjects,
                      .filled_at = now};
  }
  auto& known = at->second;
  fill(known.all, rates_.burst * rates_.all_subjects,
       rates_.per_second * rates_.all_subjects, now);
  auto& own = store_of(known, subject, now);
  if (known.all.left < 1 || own.left < 1) {
    ++known.suppressed;
    return false;
  }
  known.all.left -= 1;
  own.left -= 1;
  return true;
}

std::vector<log_limit::suppressed> log_limit::take_suppressed() {
  auto result = std::vector<suppressed>{};
  for (auto& [event, known] : kinds_)
    if (known.suppressed > 0)
      result.push_back({event, std::exchange(known.suppressed, 0)});
  return result;
}

std::size_t log_limit::size() const {
  auto count = std::size_t{0};
  for (const auto& [event, known] : kinds_)
    count += known.subjects.size();
  return count;
}

void log_limit::fill(store& x, double burst, double per_second,
                     time_point now) {
  const auto passed = std::chrono::duration<double>(now - x.filled_at).count();
  x.left = std::min(burst, x.left + std::max(0.0, passed) * per_second);
  x.filled_at = now;
}

log_limit::store& log_limit::store_of(kind& x, std::string_view subject,
                                      time_point now) {
  auto at = x.subjects.find(subject);
  if (at == x.subjects.end() && x.subjects.size() >= subjects_max) {
    // Who has a full store again is as good as unknown.
    for (auto& [name, known] : x.subjects)
      fill(known, rates_.burst, rates_.per_second, now);
    std::erase_if(x.subjects, [this](const auto& item) {
      return item.second.left >= rates_.burst;
    });
    if (x.subjects.size() >= subjects_max)
      subject = others;
    at = x.subjects.find(subject);
  }
  if (at == x.subjects.end())
    at = x.subjects
           .emplace(std::string{subject},
                    store{.left = rates_.burst, .filled_at = now})
           .first;
  fill(at->second, rates_.burst, rates_.per_second, now);
  return at->second;
}

} // namespace forkfleet::log
