// SPDX-License-Identifier: Apache-2.0
#include "node/retention.hpp"

#include <algorithm>
#include <set>
#include <tuple>
#include <utility>

#include "actors/labels.hpp"
#include "actors/schema/units.hpp"

namespace forkfleet {

namespace {

constexpr microseconds step_min = std::chrono::minutes{1};

/// The order in which their store got them, whatever the clock said. What an
/// older version sealed has no place in it and comes before all others, by the
/// clock; of one instant by their names.
auto place_of_snapshot(const snapshot_info& x) {
  return std::tie(x.sequence, x.created_at, x.tag);
}

/// Newest first.
bool is_newer(const snapshot_info* a, const snapshot_info* b) {
  return place_of_snapshot(*a) > place_of_snapshot(*b);
}

class judge_of_snapshots {
public:
  judge_of_snapshots(const config::retention_section& rules,
                     const std::vector<snapshot_info>& snapshots,
                     const snapshot_users& users, const retention_time& time)
    : rules_{rules}, users_{users}, time_{time} {
    for (const auto& x : snapshots)
      known_.emplace(x.tag, &x);
    for (const auto& rule : rules_.rules)
      rank(rule);
    date(snapshots);
  }

  retention_verdicts run() {
    for (const auto& [tag, info] : known_)
      result_[tag] = by_rules(*info);
    for (const auto& [tag, info] : known_)
      if (!result_[tag].is_due)
        keep_bases(*info);
    return std::move(result_);
  }

private:
  /// The place of each snapshot among those of its rule and sandbox.
  void rank(const config::retention_rule& rule) {
    std::map<sandbox_id, std::vector<const snapshot_info*>> of_source;
    for (const auto& [tag, info] : known_)
      if (has_labels(info->labels, {rule.label}))
        of_source[info->source].push_back(info);
    for (auto& [source, list] : of_source) {
      std::ranges::sort(list, is_newer);
      for (std::size_t i = 0; i < list.size(); ++i)
        places_[{&rule, list[i]->tag}] = i;
    }
  }

  /// When each is taken to be from: a clock that was set back in between makes
  /// none older than one that was there before it.
  void date(const std::vector<snapshot_info>& snapshots) {
    std::vector<const snapshot_info*> list;
    for (const auto& x : snapshots)
      list.push_back(&x);
    std::ranges::sort(list, [](const auto* a, const auto* b) {
      return place_of_snapshot(*a) < place_of_snapshot(*b);
    });
    auto last = microseconds::min();
    for (const auto* x : list) {
      last = std::max(last, x->created_at);
      dates_[x->tag] = last;
    }
  }

  /// What one rule says of a snapshot that has its label.
  retention_verdict by_rule(const config::retention_rule& rule,
                            const snapshot_info& info) const {
    if (places_.at({&rule, info.tag}) < rule.keep_last)
      return {false, "rule " + rule.label + " keeps the last "
                       + std::to_string(rule.keep_last) + " of sandbox "
                       + info.source.value};
    const auto date = dates_.at(info.tag);
    const auto not_passed = date < time_.since ? time_.ahead : microseconds{0};
    const auto age = time_.now - date;
    if (rule.ttl.count() > 0 && age - not_passed < rule.ttl) {
      auto why = "rule " + rule.label + " keeps what is younger than "
                 + schema::format_duration(rule.ttl);
      if (age >= rule.ttl)
        why += "; the clock was set ahead by "
               + schema::format_duration(not_passed) + " since";
      return {false, std::move(why)};
    }
    return {true, "due by rule " + rule.label};
  }

  retention_verdict by_rules(const snapshot_info& info) const {
    if (has_labels(info.labels, {rules_.pinned}))
      return {false, "pinned by label " + rules_.pinned};
    if (const auto user = users_.find(info.tag); user != users_.end())
      return {false, "needed: " + user->second};
    auto result = retention_verdict{false, "no rule speaks of its labels"};
    for (const auto& rule : rules_.rules) {
      if (!has_labels(info.labels, {rule.label}))
        continue;
      result = by_rule(rule, info);
      if (!result.is_due)
        return result;
    }
    return result;
  }

  /// What a snapshot that is kept lies over is kept as well.
  void keep_bases(const snapshot_info& kept) {
    const auto* above = &kept;
    while (!above->base.empty()) {
      const auto base = known_.find(above->base);
      if (base == known_.end() || !result_[base->first].is_due)
        return;
      result_[base->first] = {false, "needed: " + above->tag.value
                                       + " is a diff over it"};
      above = base->second;
    }
  }

  const config::retention_section& rules_;
  const snapshot_users& users_;
  const retention_time& time_;
  std::map<snapshot_tag, const snapshot_info*> known_ = {};
  std::map<std::pair<const config::retention_rule*, snapshot_tag>, std::size_t>
    places_ = {};
  std::map<snapshot_tag, microseconds> dates_ = {};
  retention_verdicts result_ = {};
};

} // namespace

retention_time age_clock::look(microseconds wall, microseconds passed) {
  const auto step = (wall - last_.now) - (passed - passed_);
  const bool is_first = !std::exchange(has_looked_, true);
  last_.now = wall;
  passed_ = passed;
  if (!is_first && std::chrono::abs(step) >= step_min) {
    last_.ahead = std::max(last_.ahead + step, microseconds{0});
    last_.since = wall;
  }
  return last_;
}

retention_verdicts judge(const config::retention_section& rules,
                         const std::vector<snapshot_info>& snapshots,
                         const snapshot_users& users,
                         const retention_time& time) {
  return judge_of_snapshots{rules, snapshots, users, time}.run();
}

std::vector<snapshot_tag>
removal_order(const retention_verdicts& verdicts,
              const std::vector<snapshot_info>& snapshots, std::size_t count) {
  std::vector<const snapshot_info*> due;
  std::map<snapshot_tag, std::size_t> diffs; // that are due and lie over it
  for (const auto& x : snapshots) {
    const auto verdict = verdicts.find(x.tag);
    if (verdict == verdicts.end() || !verdict->second.is_due)
      continue;
    due.push_back(&x);
    if (!x.base.empty())
      ++diffs[x.base];
  }
  const auto later = [](const snapshot_info* a, const snapshot_info* b) {
    return place_of_snapshot(*a) < place_of_snapshot(*b);
  };
  std::set<const snapshot_info*, decltype(later)> free{later};
  std::map<snapshot_tag, const snapshot_info*> known;
  for (const auto* x : due) {
    known[x->tag] = x;
    if (!diffs.contains(x->tag))
      free.insert(x);
  }
  std::vector<snapshot_tag> result;
  while (!free.empty() && result.size() < count) {
    const auto* next = *free.begin();
    free.erase(free.begin());
    result.push_back(next->tag);
    const auto above = diffs.find(next->base);
    if (above != diffs.end() && --above->second == 0)
      if (const auto base = known.find(next->base); base != known.end())
        free.insert(base->second);
  }
  return result;
}

} // namespace forkfleet
