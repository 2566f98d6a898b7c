// SPDX-License-Identifier: Apache-2.0
#include "coordinator/event_log.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "actors/page_cutter.hpp"

namespace forkfleet {

event_log::event_log(std::size_t kept_max)
  : kept_max_(std::max<std::size_t>(kept_max, 1)) {}

void event_log::push(fleet_event event) {
  event.sequence = ++latest_;
  if (make_fit(event) == entry_fit::none)
    event = {.sequence = event.sequence,
             .at = event.at,
             .kind = "event.left_out",
             .detail = "it was too big to be told"};
  kept_.push_back(std::move(event));
  if (kept_.size() > kept_max_)
    kept_.pop_front();
}

event_list event_log::after(uint64_t after) const {
  const uint64_t seen = after > latest_ ? 0 : after;
  const uint64_t gone = latest_ - kept_.size();
  auto result = event_list{};
  result.lost = seen < gone ? gone - seen : 0;
  const uint64_t skipped = std::max(seen, gone) - gone;
  auto cutter = page_cutter{page_entries_max};
  uint64_t count = 0;
  for (auto at = std::next(kept_.begin(), static_cast<int64_t>(skipped));
       at != kept_.end() && cutter.take(*at); ++at, ++count)
    result.events.push_back(*at);
  result.latest = gone + skipped + count;
  return result;
}

event_list event_log::from_now() const {
  auto result = event_list{};
  result.latest = latest_;
  return result;
}

bool event_log::has_after(uint64_t number) const {
  return latest_ > 0 && number != latest_;
}

} // namespace forkfleet
