// SPDX-License-Identifier: Apache-2.0
#include "node/storage/disk_snapshot_store.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <sys/stat.h>

#include "actors/disk_calls.hpp"
#include "actors/fault.hpp"
#include "node/storage/file.hpp"
#include "node/storage/reservation.hpp"
#include "node/storage/staging.hpp"

namespace forkfleet {

namespace {

/// Far beyond any guest; keeps sums of sizes from running over.
constexpr uint64_t bytes_max = uint64_t{1} << 48;

/// No operation's id starts like this, so nothing else has such a name.
constexpr std::string_view removed_prefix = ".removed-";

/// Renames a directory to a name that must be free.
status rename_to_free(const std::string& from, const std::string& to) {
  if (disk::rename(from.c_str(), to.c_str(), RENAME_NOREPLACE) == 0)
    return {};
  int error = errno;
  if (error == EINVAL || error == ENOSYS) {
    // A file system without this flag. The plain call replaces at most an
    // empty directory, and no snapshot is one.
    error = disk::rename(from.c_str(), to.c_str()) == 0 ? 0 : errno;
    if (error == 0)
      return {};
  }
  if (error == EEXIST || error == ENOTEMPTY)
    return fail(ec::snapshot_exists, to + " is there already");
  return tl::unexpected<failure>(
    errno_failure(error, "rename " + from + " to " + to));
}

} // namespace

status disk_snapshot_store::check_names(const staging_request& request) const {
  if (!is_valid(request.operation) || !is_valid(request.tag))
    return fail(ec::invalid_request, "a snapshot needs a tag and an operation");
  if (request.memory_bytes == 0 || request.memory_bytes > bytes_max
      || request.vmstate_bytes > bytes_max)
    return fail(ec::invalid_request,
                "no snapshot has " + std::to_string(request.memory_bytes)
                  + " bytes of memory and "
                  + std::to_string(request.vmstate_bytes) + " of vmstate");
  if (claims_.count(request.operation) != 0)
    return fail(ec::branch_in_progress,
                "operation " + request.operation.value + " is being staged");
  const auto directory = directory_of(request.tag);
  if (index_.count(request.tag) != 0 || path_exists(directory))
    return fail(ec::snapshot_exists, directory);
  for (const auto& [operation, held] : claims_)
    if (held.tag == request.tag)
      return fail(ec::snapshot_exists, request.tag.value
                                         + " is being made by operation "
                                         + operation.value);
  if (claims_.size() >= stagings_max)
    return fail(ec::node_busy,
                std::to_string(stagings_max) + " snapshots are in the making");
  if (index_.size() + claims_.size() >= snapshots_max)
    return fail(ec::disk_full, data_->snapshots() + " holds "
                                 + std::to_string(snapshots_max)
                                 + " snapshots, the most; remove some");
  return {};
}

uint64_t disk_snapshot_store::promised_bytes() const {
  uint64_t sum = 0;
  for (const auto& [operation, held] : claims_) {
    const auto directory = staging_of(operation);
    const auto written = stored_bytes(directory + "/" + memory_file)
                         + stored_bytes(directory + "/" + vmstate_file);
    sum += held.promised_bytes - std::min(held.promised_bytes, written);
  }
  return sum;
}

tl::expected<void, staging_failure>
disk_snapshot_store::take_claim(const staging_request& request) {
  const std::lock_guard lock{mutex_};
  if (auto good = check_names(request); !good)
    return tl::unexpected{staging_failure{good.error(), {}}};
  claim taken{request.tag, request.memory_bytes, 0};
  if (request.policy != reserve_policy::off) {
    taken.promised_bytes = needed_bytes(request);
    const staging_place place{data_->staging(), {}, file_system_};
    const auto available = available_bytes(place.parent);
    if (!available)
      return tl::unexpected{staging_failure{available.error(), {}}};
    // Refused here rather than tried: ext4 would fill the disk to its last
    // block before it said no, and disturb everybody else on it.
    const auto free = *available - std::min(*available, promised_bytes());
    if (taken.promised_bytes > free)
      return tl::unexpected{no_room(place, taken.promised_bytes, free)};
  }
  claims_.emplace(request.operation, std::move(taken));
  return {};
}

tl::expected<staging_ptr, staging_failure>
disk_snapshot_store::stage(const staging_request& request) {
  if (auto taken = take_claim(request); !taken)
    return tl::unexpected{taken.error()};
  auto area = make_staging(
    request, {data_->staging(), request.operation.value, file_system_});
  const std::lock_guard lock{mutex_};
  if (!area)
    claims_.erase(request.operation);
  else if ((*area)->reserved().outcome == reserve_outcome::reserved)
    claims_[request.operation].promised_bytes = 0;
  return area;
}

expected<snapshot_manifest>
disk_snapshot_store::begin_manifest(const seal_request& request) {
  snapshot_manifest result{.tag = request.tag,
                           .parent = request.parent,
                           .operation = request.operation,
                           .source = request.source,
                           .host = host_,
                           .mode = request.mode,
                           .method = request.method,
                           .memory_bytes = request.memory_bytes,
                           .vmstate_bytes = request.vmstate_bytes,
                           .contract = request.contract};
  const std::lock_guard lock{mutex_};
  const auto found = claims_.find(request.operation);
  if (found == claims_.end())
    return fail(ec::unknown_operation,
                request.operation.value + " has nothing staged");
  if (found->second.tag != request.tag
      || found->second.memory_bytes != request.memory_bytes)
    return fail(ec::invalid_request,
                request.operation.value + " was staged as another snapshot");
  if (!is_valid(request.source))
    return fail(ec::invalid_request,
                request.tag.value + " is to be sealed without its source");
  if (const auto parent = index_.find(request.parent); parent != index_.end())
    result.parent_hash = parent->second.root_hash;
  return result;
}

status disk_snapshot_store::publish(const operation_id& operation,
                                    const snapshot_tag& tag) {
  const auto staged = staging_of(operation);
  const auto sealed = directory_of(tag);
  if (auto renamed = rename_to_free(staged, sealed); !renamed)
    return renamed;
  auto done = fault_point("seal.renamed");
  if (done)
    done = sync_directory(data_->snapshots());
  // What is not known to be durable must not be seen.
  if (!done)
    static_cast<void>(rename_to_free(sealed, staged));
  return done;
}

expected<snapshot_info> disk_snapshot_store::seal(const seal_request& request,
                                                  staging_area& files) {
  auto manifest = begin_manifest(request);
  if (manifest)
    manifest = complete_staging(staging_of(request.operation), files,
                                std::move(*manifest));
  if (!manifest)
    return tl::unexpected<failure>(manifest.error());
  if (auto published = publish(request.operation, request.tag); !published)
    return tl::unexpected<failure>(published.error());
  static_cast<void>(fault_point("seal.published"));
  auto info = describe(*manifest);
  const std::lock_guard lock{mutex_};
  claims_.erase(request.operation);
  index_[request.tag] = info;
  return info;
}

void disk_snapshot_store::discard(const operation_id& operation) noexcept try {
  if (!is_valid(operation))
    return;
  const auto gone = remove_tree(data_->staging(), operation.value);
  const std::lock_guard lock{mutex_};
  claims_.erase(operation);
  if (!gone && problems_.size() < snapshots_max)
    problems_.push_back(gone.error().message);
} catch (...) {
  // Out of memory: the directory is removed at the next start.
}

expected<std::string> disk_snapshot_store::hide(const snapshot_tag& tag) {
  const auto directory = directory_of(tag);
  const std::lock_guard lock{mutex_};
  const bool in_the_making =
    std::any_of(claims_.begin(), claims_.end(),
                [&tag](const auto& each) { return each.second.tag == tag; });
  if (!is_valid(tag) || in_the_making || !path_exists(directory))
    return fail(ec::unknown_snapshot, tag.value);
  auto name = std::string{removed_prefix} + tag.value;
  while (path_exists(data_->staging() + "/" + name))
    name = std::string{removed_prefix} + tag.value + "."
           + std::to_string(++removals_);
  if (auto renamed = rename_to_free(directory, data_->staging() + "/" + name);
      !renamed)
    return tl::unexpected<failure>(renamed.error());
  index_.erase(tag);
  return name;
}

status disk_snapshot_store::remove(const snapshot_tag& tag) {
  const auto hidden = hide(tag);
  if (!hidden)
    return tl::unexpected<failure>(hidden.error());
  auto done = sync_directory(data_->snapshots());
  if (done)
    done = fault_point("remove.renamed");
  if (done)
    done = remove_tree(data_->staging(), *hidden);
  return done;
}

std::vector<std::string> disk_snapshot_store::recover() {
  std::vector<std::string> removed;
  const auto names = list_directory(data_->staging());
  const std::lock_guard lock{mutex_};
  if (!names) {
    problems_.push_back(names.error().message);
    return removed;
  }
  for (const auto& name : *names) {
    if (claims_.count(operation_id{name}) != 0)
      continue;
    if (auto gone = remove_tree(data_->staging(), name); gone)
      removed.push_back(name);
    else
      problems_.push_back(gone.error().message);
  }
  return removed;
}

uint64_t disk_snapshot_store::free_bytes() {
  const auto available = available_bytes(data_->staging()).value_or(0);
  const std::lock_guard lock{mutex_};
  return available - std::min(available, promised_bytes());
}

std::string disk_snapshot_store::file_system() {
  return file_system_;
}

std::string
disk_snapshot_store::staging_of(const operation_id& operation) const {
  return data_->staging() + "/" + operation.value;
}

std::string disk_snapshot_store::directory_of(const snapshot_tag& tag) const {
  return data_->snapshots() + "/" + tag.value;
}

} // namespace forkfleet
