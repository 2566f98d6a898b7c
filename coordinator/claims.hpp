// SPDX-License-Identifier: Apache-2.0
// Pure: things of one kind by their name, each told by the host that has it.
// A name that two hosts tell stays with the first.
#pragma once

#include <algorithm>
#include <cstddef>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "actors/fleet_protocol.hpp"
#include "actors/page_cutter.hpp"

namespace forkfleet {

/// `Info` has a `host`; `Id` is its name. The first of the hosts that claim
/// a name keeps it; when that one drops it, the next one follows.
template <class Id, class Info>
class claims {
public:
  /// What `put` did.
  enum class put_result : uint8_t { added, changed, clashed };

  /// Adds the host's claim to `id` or renews it. `clashed`: another host had
  /// it first; told once per host and name.
  put_result put(const Id& id, const Info& info) {
    auto& owners = claims_[id];
    const auto own = find_host(owners, info.host);
    if (own != owners.end()) {
      *own = info;
      return put_result::changed;
    }
    owners.push_back(info);
    names_[info.host].insert(id);
    return owners.size() == 1 ? put_result::added : put_result::clashed;
  }

  /// Ends the host's claim; false when it had none.
  bool drop(const Id& id, const host_name& host) {
    const auto found = claims_.find(id);
    if (found == claims_.end())
      return false;
    auto& owners = found->second;
    const auto own = find_host(owners, host);
    if (own == owners.end())
      return false;
    owners.erase(own);
    if (owners.empty())
      claims_.erase(found);
    names_[host].erase(id);
    return true;
  }

  /// What the host that keeps the name tells; null for an unknown name.
  const Info* find(const Id& id) const {
    const auto found = claims_.find(id);
    return found == claims_.end() ? nullptr : &found->second.front();
  }

  /// What this host tells of the name; null when it claims it not.
  const Info* find(const Id& id, const host_name& host) const {
    const auto found = claims_.find(id);
    if (found == claims_.end())
      return nullptr;
    const auto own = find_host(found->second, host);
    return own == found->second.end() ? nullptr : &*own;
  }

  /// The names that the host claims.
  std::set<Id> names_of(const host_name& host) const {
    const auto found = names_.find(host);
    return found == names_.end() ? std::set<Id>{} : found->second;
  }

  std::size_t count(const host_name& host) const {
    const auto found = names_.find(host);
    return found == names_.end() ? 0 : found->second.size();
  }

  /// Fills a page with what comes after `after`; true when there is more.
  /// What does not fit into a page by itself comes with its texts cut.
  bool list(const Id& after, std::vector<Info>& page) const {
    auto cutter = page_cutter{page_entries_max};
    for (auto it = claims_.upper_bound(after); it != claims_.end(); ++it) {
      auto info = it->second.front();
      if (make_fit(info) == entry_fit::none)
        continue;
      if (!cutter.take(info))
        return true;
      page.push_back(std::move(info));
    }
    return false;
  }

  /// The first, in order of the names, that `is_wanted` takes; null for none.
  template <class Predicate>
  const Info* find_if(Predicate is_wanted) const {
    for (const auto& [id, owners] : claims_)
      if (is_wanted(owners.front()))
        return &owners.front();
    return nullptr;
  }

  std::size_t size() const { return claims_.size(); }

private:
  template <class Owners>
  static auto find_host(Owners& owners, const host_name& host) {
    return std::find_if(owners.begin(), owners.end(),
                        [&](const Info& x) { return x.host == host; });
  }

  std::map<Id, std::vector<Info>> claims_; // no vector is empty
  std::map<host_name, std::set<Id>> names_;
};

} // namespace forkfleet
