// SPDX-License-Identifier: Apache-2.0
// What disk_snapshot_store says of its snapshots, and is told about them:
// labels and notes, what they take, and how two of them differ.
#include <utility>

#include "node/storage/contract_text.hpp"
#include "node/storage/disk_comparison.hpp"
#include "node/storage/disk_snapshot_store.hpp"
#include "node/storage/image_comparison.hpp"
#include "node/storage/label_record.hpp"
#include "node/storage/sealed_directory.hpp"
#include "node/storage/sealed_disks.hpp"
#include "node/storage/snapshot_signature.hpp"

namespace forkfleet {

namespace {

expected<compared_disks> disks_of(const snapshot_info& info) {
  auto manifest = read_sealed(info.directory, info.tag);
  if (!manifest)
    return tl::unexpected<failure>(manifest.error());
  return compared_disks{info.directory, std::move(manifest->disks)};
}

} // namespace

expected<snapshot_info>
disk_snapshot_store::annotate(const snapshot_tag& tag,
                              const label_change& change) {
  // One at a time: each change is made to what the one before left.
  const std::lock_guard turn{annotating_};
  auto info = snapshot_info{};
  auto hold = snapshot_hold{};
  {
    const std::lock_guard lock{mutex_};
    const auto* const found = table_.find(tag);
    if (found == nullptr)
      return fail(ec::unknown_snapshot, tag.value);
    info = found->info;
    hold = holds_->hold({tag});
  }
  const auto before = annotation{info.labels, info.note};
  const auto words = changed(before, change);
  if (!words)
    return tl::unexpected<failure>(words.error());
  if (*words != before)
    if (auto kept = write_annotation(info.directory, info.root_hash, *words);
        !kept)
      return tl::unexpected<failure>(kept.error());
  const std::lock_guard lock{mutex_};
  auto entry = *table_.find(tag);
  entry.info.labels = words->labels;
  entry.info.note = words->note;
  if (*words != before)
    entry.info.revision = ++revisions_;
  table_.add(entry);
  return table_.describe(entry);
}

expected<snapshot_usage> disk_snapshot_store::usage(const snapshot_tag& tag) {
  auto result = snapshot_usage{};
  {
    const std::lock_guard lock{mutex_};
    const auto* const found = table_.find(tag);
    if (found == nullptr)
      return fail(ec::unknown_snapshot, tag.value);
    result = {.info = table_.describe(*found), .is_read = holds_->is_held(tag)};
  }
  const auto& directory = result.info.directory;
  result.unique_bytes = unique_bytes_of(directory);
  if (const auto manifest = read_sealed(directory, tag)) {
    result.disks = describe_disks(directory, manifest->disks);
    result.signature = signature_text(*manifest, fleet_key());
    result.contract = contract_lines(manifest->contract);
  }
  return result;
}

expected<image_difference>
disk_snapshot_store::compare(const snapshot_tag& tag, const snapshot_tag& other,
                             const stop_asked& stop) {
  const auto chain = hold_chain(tag);
  const auto other_chain = hold_chain(other);
  if (!chain || !other_chain)
    return tl::unexpected<failure>(chain ? other_chain.error() : chain.error());
  const auto image = open_layers(*chain);
  const auto other_image = open_layers(*other_chain);
  if (!image || !other_image)
    return tl::unexpected<failure>(image ? other_image.error() : image.error());
  auto result = compare_images(**image, **other_image, {options_.gate, stop});
  if (!result)
    return result;
  const auto disks = disks_of(chain->links.front().info);
  const auto other_disks = disks_of(other_chain->links.front().info);
  if (!disks || !other_disks)
    return tl::unexpected<failure>(disks ? other_disks.error() : disks.error());
  const auto written = compare_disks(*disks, *other_disks, stop);
  if (!written)
    return tl::unexpected<failure>(written.error());
  result->disk_bytes = *written;
  return result;
}

} // namespace forkfleet
