// SPDX-License-Identifier: Apache-2.0
// How disk_snapshot_store lets go: removal of what nobody needs, and the
// clearing of what an earlier life left.
#include <algorithm>

#include "actors/fault.hpp"
#include "node/storage/disk_snapshot_store.hpp"
#include "node/storage/file.hpp"
#include "node/storage/sealed_directory.hpp"

namespace forkfleet {

namespace {

/// No operation's id starts like this, so nothing else has such a name.
constexpr std::string_view removed_prefix = ".removed-";

std::string flatten_remedy(const std::vector<snapshot_tag>& tags) {
  std::string result;
  for (const auto& tag : tags)
    result += (result.empty() ? "forkfleet flatten " : "; forkfleet flatten ")
              + tag.value;
  return result;
}

} // namespace

status disk_snapshot_store::check_removable(const snapshot_tag& tag) const {
  for (const auto& [operation, held] : claims_) {
    if (held.tag == tag)
      return fail(ec::unknown_snapshot, tag.value);
    if (held.base.tag == tag)
      return fail(ec::node_busy, tag.value + " is the base of " + held.tag.value
                                   + ", which is being made");
  }
  if (!is_valid(tag) || !path_exists(directory_of(tag)))
    return fail(ec::unknown_snapshot, tag.value);
  auto diffs = table_.needing(tag);
  if (!diffs.empty()) {
    const auto names = join_tags(diffs);
    diffs.resize(std::min<std::size_t>(diffs.size(), 5));
    return fail(ec::invalid_request, tag.value + " is the base of " + names
                                       + ": first run "
                                       + flatten_remedy(diffs));
  }
  if (holds_->is_held(tag))
    return fail(ec::node_busy, tag.value + " is being read");
  return check_all_read(tag);
}

/// What a snapshot that could not be read needs is not known. Such a one may
/// always be removed itself.
status disk_snapshot_store::check_all_read(const snapshot_tag& but) const {
  if (table_.find(but) == nullptr)
    return {};
  const auto names = list_directory(data_->snapshots());
  if (!names)
    return tl::unexpected<failure>(names.error());
  for (const auto& name : *names)
    if (name != but.value && is_valid(snapshot_tag{name})
        && table_.find({name}) == nullptr && !claims_have(snapshot_tag{name}))
      return fail(ec::node_busy,
                  "snapshot " + name
                    + " cannot be read, and may need this one; look at "
                    + directory_of({name}) + ", then remove that first");
  return {};
}

bool disk_snapshot_store::claims_have(const snapshot_tag& tag) const {
  return std::ranges::any_of(
    claims_, [&tag](const auto& item) { return item.second.tag == tag; });
}

expected<std::string>
disk_snapshot_store::hide(const snapshot_tag& tag,
                          std::optional<uint64_t> revision) {
  const std::lock_guard lock{mutex_};
  if (auto good = check_removable(tag); !good)
    return tl::unexpected<failure>(good.error());
  if (const auto* const found = table_.find(tag);
      revision && found != nullptr && found->info.revision != *revision)
    return fail(ec::node_busy, tag.value + " was given other labels meanwhile");
  auto name = std::string{removed_prefix} + tag.value;
  while (path_exists(data_->staging() + "/" + name))
    name = std::string{removed_prefix} + tag.value + "."
           + std::to_string(++removals_);
  if (auto renamed =
        rename_to_free(directory_of(tag), data_->staging() + "/" + name);
      !renamed)
    return tl::unexpected<failure>(renamed.error());
  table_.erase(tag);
  removing_.insert(name);
  return name;
}

status disk_snapshot_store::remove(const snapshot_tag& tag,
                                   std::optional<uint64_t> revision) {
  const auto hidden = hide(tag, revision);
  if (!hidden)
    return tl::unexpected<failure>(hidden.error());
  auto done = sync_directory(data_->snapshots());
  if (done)
    done = fault_point("remove.renamed");
  if (done)
    done = remove_tree(data_->staging(), *hidden);
  const std::lock_guard lock{mutex_};
  removing_.erase(*hidden);
  return done;
}

disk_snapshot_store::work_in_hand disk_snapshot_store::in_hand() const {
  const std::lock_guard lock{mutex_};
  work_in_hand result{.staging = removing_};
  for (const auto& [operation, held] : claims_) {
    result.staging.insert(operation.value);
    result.making.insert(held.tag.value);
  }
  for (const auto& tag : flattening_)
    result.changing.insert(tag.value);
  return result;
}

std::vector<std::string> disk_snapshot_store::recover() {
  std::vector<std::string> removed;
  const auto names = list_directory(data_->staging());
  const std::lock_guard lock{mutex_};
  if (!names) {
    note_problem(names.error());
    return removed;
  }
  for (const auto& name : *names) {
    if (claims_.count(operation_id{name}) != 0)
      continue;
    if (auto gone = remove_tree(data_->staging(), name); gone)
      removed.push_back(name);
    else
      note_problem(gone.error());
  }
  for (const auto& info : table_.list()) {
    if (holds_->is_held(info.tag))
      continue;
    const auto manifest = read_sealed(info.directory, info.tag);
    const auto cleared = manifest ? clear_leftovers(info.directory, *manifest)
                                  : tl::unexpected<failure>(manifest.error());
    if (!cleared)
      note_problem(cleared.error());
    if (!cleared || !*cleared)
      continue;
    removed.push_back(info.tag.value + ", a flatten that had not ended");
    auto entry = *table_.find(info.tag);
    entry.info.stored_bytes = stored_bytes_of(info.directory);
    table_.add(std::move(entry));
  }
  return removed;
}

void disk_snapshot_store::note_problem(const failure& found) {
  if (problems_.size() < snapshots_max)
    problems_.push_back(found.message);
}

} // namespace forkfleet
