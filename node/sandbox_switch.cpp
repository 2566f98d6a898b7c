// SPDX-License-Identifier: Apache-2.0
#include "node/sandbox_switch.hpp"

#include <algorithm>
#include <string>
#include <tuple>
#include <utility>

namespace forkfleet {

bool is_own_lineage(const sandbox_info& sandbox, const snapshot_info& snapshot,
                    const snapshot_map& all) {
  if (snapshot.source == sandbox.id)
    return true;
  auto tag = sandbox.parent;
  // No chain of parents is longer than there are snapshots.
  for (std::size_t i = 0; i <= all.size() && !tag.empty(); ++i) {
    if (tag == snapshot.tag)
      return true;
    const auto found = all.find(tag);
    tag = found == all.end() ? snapshot_tag{} : found->second.parent;
  }
  return false;
}

status check_rollback(const sandbox_info& sandbox,
                      const snapshot_info& snapshot, bool force,
                      const snapshot_map& all) {
  const auto& name = sandbox.id.value;
  if (sandbox.origin == sandbox_origin::attached)
    return fail(ec::unsupported,
                name
                  + " is somebody else's VM: it cannot be replaced; "
                    "restore "
                  + snapshot.tag.value + " as a sandbox of its own");
  if (snapshot.driver != sandbox.driver
      || snapshot.memory_bytes != sandbox.memory_bytes)
    return fail(ec::unsupported,
                snapshot.tag.value + " is of another shape than " + name
                  + " (driver or memory); restore it as a sandbox of its own");
  if (!force && !is_own_lineage(sandbox, snapshot, all))
    return fail(ec::invalid_request, snapshot.tag.value + " is not of " + name
                                       + "'s lineage; see: forkfleet log "
                                       + name
                                       + "; --force takes it all the same");
  return {};
}

sandbox_id free_place(const sandbox_id& id, const std::set<sandbox_id>& taken) {
  auto result = id;
  for (std::size_t i = 2; taken.contains(result); ++i) {
    const auto suffix = "-" + std::to_string(i);
    result.value =
      id.value.substr(0, sandbox_id_tag::length_max - suffix.size()) + suffix;
  }
  return result;
}

std::vector<sandbox_record>
take_replaced(std::vector<sandbox_record>& records) {
  const auto rank = [](const sandbox_record& x) {
    return std::tuple{!x.is_unfinished, x.life};
  };
  std::map<sandbox_id, sandbox_record> kept;
  std::vector<sandbox_record> result;
  for (auto& x : records) {
    auto [place, is_new] = kept.try_emplace(x.id, x);
    if (is_new)
      continue;
    if (rank(place->second) < rank(x))
      std::swap(place->second, x);
    result.push_back(std::move(x));
  }
  records.clear();
  for (auto& [id, x] : kept)
    records.push_back(std::move(x));
  return result;
}

} // namespace forkfleet
