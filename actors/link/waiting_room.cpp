// SPDX-License-Identifier: Apache-2.0
#include "actors/link/waiting_room.hpp"

#include <algorithm>

namespace forkfleet {

std::optional<uint64_t> waiting_room::enter(uint64_t number,
                                            const std::string& address) {
  auto gone = std::optional<uint64_t>{};
  const auto at = by_address_.find(address);
  if (at != by_address_.end() && at->second >= address_max_) {
    gone = oldest_of(address);
  } else if (waiting_.size() >= all_max_) {
    const auto busiest = std::max_element(
      by_address_.begin(), by_address_.end(),
      [](const auto& x, const auto& y) { return x.second < y.second; });
    if (busiest != by_address_.end())
      gone = oldest_of(busiest->first);
  }
  if (gone)
    leave(*gone);
  waiting_[number] = address;
  ++by_address_[address];
  return gone;
}

void waiting_room::leave(uint64_t number) {
  const auto at = waiting_.find(number);
  if (at == waiting_.end())
    return;
  const auto count = by_address_.find(at->second);
  if (--count->second == 0)
    by_address_.erase(count);
  waiting_.erase(at);
}

std::optional<uint64_t>
waiting_room::oldest_of(const std::string& address) const {
  for (const auto& [number, from] : waiting_)
    if (from == address)
      return number;
  return {};
}

} // namespace forkfleet
