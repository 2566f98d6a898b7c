// SPDX-License-Identifier: Apache-2.0
#include "actors/link/open_questions.hpp"

#include "actors/link/frame.hpp"

namespace forkfleet {

bool open_questions::add(uint64_t asker, uint64_t data, const question& what,
                         time_point now) {
  const auto name = key{asker, data & message_bits::request};
  if (entries_.contains(name))
    return false;
  if (entries_.size() >= kept_max_ && !by_age_.empty())
    drop(entries_.find(by_age_.begin()->second));
  const auto order = ++orders_;
  entries_[name] = {
    .what = &what, .data = data, .until = now + patience_, .order = order};
  by_age_[order] = name;
  waiting_for_events_ += what.waits_for_events ? 1 : 0;
  return true;
}

const open_questions::entry* open_questions::find(uint64_t asker,
                                                  uint64_t data) const {
  const auto at = entries_.find(key{asker, data & message_bits::request});
  return at == entries_.end() ? nullptr : &at->second;
}

std::optional<open_questions::entry> open_questions::take(uint64_t asker,
                                                          uint64_t data) {
  const auto at = entries_.find(key{asker, data & message_bits::request});
  if (at == entries_.end())
    return {};
  const auto result = at->second;
  drop(at);
  return result;
}

std::size_t open_questions::expire(time_point now) {
  auto count = std::size_t{0};
  while (!by_age_.empty()) {
    const auto oldest = entries_.find(by_age_.begin()->second);
    if (now < oldest->second.until)
      break;
    drop(oldest);
    ++count;
  }
  return count;
}

void open_questions::drop(std::map<key, entry>::iterator at) {
  waiting_for_events_ -= at->second.what->waits_for_events ? 1 : 0;
  by_age_.erase(at->second.order);
  entries_.erase(at);
}

} // namespace forkfleet
