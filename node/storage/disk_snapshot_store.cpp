// SPDX-License-Identifier: Apache-2.0
#include "node/storage/disk_snapshot_store.hpp"

#include <algorithm>

#include "actors/fault.hpp"
#include "node/storage/file.hpp"
#include "node/storage/reservation.hpp"
#include "node/storage/sealed_directory.hpp"

namespace forkfleet {

status disk_snapshot_store::check_tag(const snapshot_tag& tag) const {
  const auto directory = directory_of(tag);
  if (table_.find(tag) != nullptr || path_exists(directory))
    return fail(ec::snapshot_exists, directory);
  for (const auto& [operation, held] : claims_)
    if (held.tag == tag)
      return fail(ec::snapshot_exists,
                  tag.value + " is being made by operation " + operation.value);
  return {};
}

status
disk_snapshot_store::check_request(const staging_request& request) const {
  if (!is_valid(request.operation) || !is_valid(request.tag))
    return fail(ec::invalid_request, "a snapshot needs a tag and an operation");
  if (request.memory_bytes == 0 || request.memory_bytes > guest_memory_max
      || request.vmstate_bytes > guest_memory_max
      || request.expected_bytes > guest_memory_max)
    return fail(ec::invalid_request,
                "no snapshot has " + std::to_string(request.memory_bytes)
                  + " bytes of memory and "
                  + std::to_string(request.vmstate_bytes) + " of vmstate");
  if (claims_.count(request.operation) != 0)
    return fail(ec::branch_in_progress,
                "operation " + request.operation.value + " is being staged");
  if (auto free = check_tag(request.tag); !free)
    return free;
  if (claims_.size() >= stagings_max)
    return fail(ec::node_busy,
                std::to_string(stagings_max) + " snapshots are in the making");
  if (table_.size() + claims_.size() >= snapshots_max)
    return fail(ec::disk_full, data_->snapshots() + " holds "
                                 + std::to_string(snapshots_max)
                                 + " snapshots, the most; remove some");
  return request.form == memory_form::flat ? status{} : check_base(request);
}

status disk_snapshot_store::check_base(const staging_request& request) const {
  const auto& tag = request.base;
  const auto* const base = table_.find(tag);
  if (base == nullptr)
    return fail(ec::unknown_snapshot,
                tag.value + ", the base of " + request.tag.value);
  if (base->info.root_hash != request.base_hash)
    return fail(ec::invalid_request, tag.value + " is not the snapshot that "
                                       + request.tag.value
                                       + " is to lie over: its root hash is "
                                       + base->info.root_hash);
  if (base->info.memory_bytes != request.memory_bytes
      || request.memory_bytes % guest_page_bytes != 0)
    return fail(ec::invalid_request, tag.value + " is of a guest with "
                                       + std::to_string(base->info.memory_bytes)
                                       + " bytes of memory; this one has "
                                       + std::to_string(request.memory_bytes));
  if (request.form == memory_form::clone)
    return base->is_flat
             ? status{}
             : fail(ec::unsupported, tag.value
                                       + " has no flat image to clone; "
                                         "flatten it");
  if (table_.describe(*base).depth >= layered_image::depth_max)
    return fail(ec::unsupported, tag.value + " lies over "
                                   + std::to_string(layered_image::depth_max)
                                   + " diffs, the most; flatten it");
  return {};
}

expected<clone_base>
disk_snapshot_store::clone_base_of(const staging_request& request) const {
  if (request.form != memory_form::clone)
    return clone_base{};
  if (!can_clone_)
    return fail(ec::unsupported, file_system_ + " cannot clone files");
  const auto directory = directory_of(request.base);
  const auto manifest = read_sealed(directory, request.base);
  if (!manifest)
    return tl::unexpected<failure>(manifest.error());
  auto extents = flat_extents(directory, *manifest);
  if (!extents)
    return tl::unexpected<failure>(extents.error());
  return clone_base{directory + "/" + memory_file, std::move(*extents)};
}

uint64_t disk_snapshot_store::promised_bytes() const {
  uint64_t sum = 0;
  for (const auto& [operation, held] : claims_) {
    const auto directory = staging_of(operation);
    auto written = stored_bytes(directory + "/" + vmstate_file);
    // What a clone shares is no part of what it was to write.
    if (held.form != memory_form::clone)
      written += stored_bytes(
        directory + "/"
        + (held.form == memory_form::diff ? diff_name : memory_file));
    sum += held.promised_bytes - std::min(held.promised_bytes, written);
  }
  return sum;
}

tl::expected<void, staging_failure>
disk_snapshot_store::take_claim(const staging_request& request) {
  const std::lock_guard lock{mutex_};
  if (auto good = check_request(request); !good)
    return tl::unexpected{staging_failure{good.error(), {}}};
  claim taken{.tag = request.tag,
              .memory_bytes = request.memory_bytes,
              .form = request.form};
  if (request.form != memory_form::flat)
    taken.base = {request.base, request.base_hash};
  if (request.policy != reserve_policy::off) {
    taken.promised_bytes = needed_bytes(request);
    const staging_place place{data_->staging(), {}, file_system_, {}};
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
  const auto base = clone_base_of(request);
  auto area =
    base ? make_staging(
      request, {data_->staging(), request.operation.value, file_system_, debt_},
      *base)
         : tl::unexpected{staging_failure{base.error(), {}}};
  const std::lock_guard lock{mutex_};
  if (!area) {
    claims_.erase(request.operation);
    return tl::unexpected{area.error()};
  }
  if ((*area)->reserved().outcome == reserve_outcome::reserved
      && request.form != memory_form::clone)
    claims_[request.operation].promised_bytes = 0;
  return std::move(*area);
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
                           .contract = request.contract,
                           .limits = request.limits,
                           .origin = snapshot_origin::sealed};
  const std::lock_guard lock{mutex_};
  result.sequence = sequence_++;
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
  if (const auto* const parent = table_.find(request.parent))
    result.parent_hash = parent->info.root_hash;
  // That the base is still there is what the claim is for.
  if (found->second.form == memory_form::diff) {
    result.base = found->second.base.tag;
    result.base_hash = found->second.base.root_hash;
  }
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

expected<snapshot_info>
disk_snapshot_store::make_visible(const operation_id& operation,
                                  const snapshot_manifest& manifest) {
  if (auto published = publish(operation, manifest.tag); !published)
    return tl::unexpected<failure>(published.error());
  static_cast<void>(fault_point("seal.published"));
  auto entry = entry_of(manifest);
  const std::lock_guard lock{mutex_};
  claims_.erase(operation);
  entry.info.revision = ++revisions_;
  table_.add(entry);
  return table_.describe(entry);
}

expected<snapshot_info> disk_snapshot_store::seal(const seal_request& request,
                                                  staging_area& files) {
  auto* const own = dynamic_cast<disk_staging_area*>(&files);
  if (own == nullptr || own->directory != staging_of(request.operation))
    return fail(ec::invalid_request,
                request.operation.value + " is sealed with another's files");
  own->disks = request.disks;
  own->known_layers = &layers_;
  own->key = options_.key;
  auto manifest = begin_manifest(request);
  if (manifest)
    manifest = complete_staging(*own, std::move(*manifest), request.words);
  if (!manifest)
    return tl::unexpected<failure>(manifest.error());
  return make_visible(request.operation, *manifest);
}

void disk_snapshot_store::discard(const operation_id& operation) noexcept try {
  if (!is_valid(operation))
    return;
  const auto gone = remove_tree(data_->staging(), operation.value);
  const std::lock_guard lock{mutex_};
  claims_.erase(operation);
  if (!gone)
    note_problem(gone.error());
} catch (...) {
  // Out of memory: the directory is removed at the next start.
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
