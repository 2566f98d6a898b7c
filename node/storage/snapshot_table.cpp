// SPDX-License-Identifier: Apache-2.0
#include "node/storage/snapshot_table.hpp"

#include <algorithm>

namespace forkfleet {

namespace {

constexpr std::size_t named_tags_max = 5;

} // namespace

void snapshot_table::add(table_entry entry) {
  auto tag = entry.info.tag;
  entries_.insert_or_assign(std::move(tag), std::move(entry));
}

void snapshot_table::set_flat(const snapshot_tag& tag, uint64_t stored_bytes) {
  const auto found = entries_.find(tag);
  if (found == entries_.end())
    return;
  found->second.is_flat = true;
  found->second.info.stored_bytes = stored_bytes;
}

const table_entry* snapshot_table::find(const snapshot_tag& tag) const {
  const auto found = entries_.find(tag);
  return found == entries_.end() ? nullptr : &found->second;
}

const table_entry* snapshot_table::find_base(const std::string& root_hash,
                                             const snapshot_tag& parent) const {
  if (root_hash.empty())
    return nullptr;
  const auto* const own = find(parent);
  if (own != nullptr && own->info.root_hash == root_hash)
    return own;
  for (const auto& [tag, entry] : entries_)
    if (entry.info.root_hash == root_hash
        && entry.info.origin == snapshot_origin::sealed)
      return &entry;
  return nullptr;
}

uint64_t snapshot_table::next_sequence() const {
  uint64_t last = 0;
  for (const auto& [tag, entry] : entries_)
    last = std::max(last, entry.info.sequence);
  return last + 1;
}

expected<std::vector<snapshot_tag>>
snapshot_table::chain_of(const snapshot_tag& tag) const {
  const auto* at = find(tag);
  if (at == nullptr)
    return fail(ec::unknown_snapshot, tag.value);
  std::vector<snapshot_tag> result{tag};
  while (!at->is_flat) {
    const auto& base = at->base;
    const auto* const next = find(base.tag);
    if (next == nullptr)
      return fail(ec::snapshot_corrupt, at->info.tag.value + " is a diff over "
                                          + base.tag.value
                                          + ", which is not there");
    if (next->info.root_hash != base.root_hash)
      return fail(ec::snapshot_corrupt,
                  at->info.tag.value + " is a diff over another snapshot than "
                    + base.tag.value + " of today");
    if (result.size() > entries_.size())
      return fail(ec::snapshot_corrupt,
                  tag.value + " is a diff over itself, in a ring");
    result.push_back(base.tag);
    at = next;
  }
  return result;
}

std::vector<snapshot_tag>
snapshot_table::needing(const snapshot_tag& tag) const {
  std::vector<snapshot_tag> result;
  for (const auto& [other, entry] : entries_)
    if (!entry.is_flat && entry.base.tag == tag)
      result.push_back(other);
  return result;
}

snapshot_info snapshot_table::describe(const table_entry& entry) const {
  auto result = entry.info;
  result.base = entry.is_flat ? snapshot_tag{} : entry.base.tag;
  const auto chain = chain_of(entry.info.tag);
  result.depth = chain ? chain->size() - 1 : 0;
  return result;
}

std::vector<snapshot_info> snapshot_table::list() const {
  std::vector<snapshot_info> result;
  result.reserve(entries_.size());
  for (const auto& [tag, entry] : entries_)
    result.push_back(describe(entry));
  return result;
}

uint64_t snapshot_table::memory_bytes_max() const {
  uint64_t result = 0;
  for (const auto& [tag, entry] : entries_)
    result = std::max(result, entry.info.memory_bytes);
  return result;
}

std::vector<failure> snapshot_table::drop_broken() {
  std::vector<failure> result;
  std::vector<snapshot_tag> broken;
  for (const auto& [tag, entry] : entries_)
    if (const auto chain = chain_of(tag); !chain) {
      result.push_back(chain.error());
      broken.push_back(tag);
    }
  for (const auto& tag : broken)
    entries_.erase(tag);
  return result;
}

std::string join_tags(const std::vector<snapshot_tag>& tags) {
  std::string result;
  for (std::size_t i = 0; i < tags.size(); ++i) {
    if (i == named_tags_max)
      return result + " and " + std::to_string(tags.size() - i) + " more";
    result += (i == 0 ? "" : ", ") + tags[i].value;
  }
  return result;
}

} // namespace forkfleet
