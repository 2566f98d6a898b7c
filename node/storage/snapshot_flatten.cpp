// SPDX-License-Identifier: Apache-2.0
// How disk_snapshot_store gives a diff a flat image of its own.
#include <chrono>

#include "node/storage/disk_snapshot_store.hpp"
#include "node/storage/file.hpp"
#include "node/storage/flattening.hpp"
#include "node/storage/sealed_directory.hpp"

namespace forkfleet {

namespace {

/// So often is one who waits asked whether to stop.
constexpr auto stop_interval = std::chrono::milliseconds{50};

} // namespace

// Who comes second waits for the first, and finds it done.
status disk_snapshot_store::begin_flatten(const snapshot_tag& tag,
                                          const stop_asked& stop) {
  std::unique_lock lock{mutex_};
  while (!flattening_.insert(tag).second) {
    lock.unlock();
    if (stop && stop())
      return fail(ec::interrupted,
                  "waiting for " + tag.value + ", which is being flattened");
    lock.lock();
    flattened_.wait_for(lock, stop_interval,
                        [&] { return !flattening_.contains(tag); });
  }
  return {};
}

void disk_snapshot_store::end_flatten(const snapshot_tag& tag) {
  {
    const std::lock_guard lock{mutex_};
    flattening_.erase(tag);
  }
  flattened_.notify_all();
}

status disk_snapshot_store::flatten(const snapshot_tag& tag,
                                    const stop_asked& stop) {
  if (auto begun = begin_flatten(tag, stop); !begun)
    return begun;
  const auto chain = hold_chain(tag);
  status done;
  if (!chain)
    done = tl::unexpected<failure>(chain.error());
  else if (chain->links.size() > 1)
    done = flatten_held(*chain, stop);
  end_flatten(tag);
  return done;
}

status disk_snapshot_store::flatten_held(const held_chain& chain,
                                         const stop_asked& stop) {
  const auto& info = chain.links.front().info;
  const auto& flat = chain.links.back().info;
  auto manifest = read_sealed(info.directory, info.tag);
  const auto flat_manifest = read_sealed(flat.directory, flat.tag);
  if (!manifest || !flat_manifest)
    return tl::unexpected<failure>(manifest ? flat_manifest.error()
                                            : manifest.error());
  auto extents = flat_extents(flat.directory, *flat_manifest);
  if (!extents)
    return tl::unexpected<failure>(extents.error());
  const auto image = open_layers(chain);
  if (!image)
    return tl::unexpected<failure>(image.error());
  const auto done = flatten_files({.directory = info.directory,
                                   .manifest = std::move(*manifest),
                                   .image = *image,
                                   .base_extents = std::move(*extents),
                                   .may_clone = can_clone_,
                                   .how = {options_.gate, stop},
                                   .debt = debt_});
  if (!done)
    return done;
  const auto diff = info.directory + "/" + diff_name;
  {
    const std::lock_guard lock{mutex_};
    table_.set_flat(info.tag,
                    stored_bytes_of(info.directory) - stored_bytes(diff));
  }
  // A child may be mapping it at this moment. What is not removed now is
  // removed by the next start.
  holds_->when_free(info.tag, [diff, directory = info.directory] {
    if (remove_file(diff))
      static_cast<void>(sync_directory(directory));
  });
  return {};
}

} // namespace forkfleet
