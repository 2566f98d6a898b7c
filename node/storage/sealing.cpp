// SPDX-License-Identifier: Apache-2.0
#include <chrono>
#include <fcntl.h>

#include "actors/fault.hpp"
#include "node/storage/file.hpp"
#include "node/storage/label_record.hpp"
#include "node/storage/manifest_limits.hpp"
#include "node/storage/reservation.hpp"
#include "node/storage/snapshot_signature.hpp"
#include "node/storage/staging.hpp"

namespace forkfleet {

namespace {

status check_memory_size(int fd, const std::string& path, uint64_t bytes) {
  const auto size = file_size(fd, path);
  if (!size)
    return tl::unexpected<failure>(size.error());
  if (*size != bytes)
    return fail(ec::io_failed, path + " has " + std::to_string(*size)
                                 + " bytes; the guest has "
                                 + std::to_string(bytes));
  return {};
}

/// All of a fresh image; of a clone only what it does not share.
expected<std::vector<sha256>> flat_hashes(const disk_staging_area& files,
                                          const hash_job& memory) {
  if (files.form == memory_form::flat)
    return hash_extents(memory);
  auto job = memory;
  job.only = &files.flat->touched();
  auto hashes = hash_extents(job);
  if (hashes)
    for (std::size_t i = 0; i < hashes->size(); ++i)
      if (!(*job.only)[i])
        (*hashes)[i] = files.base_extents[i];
  return hashes;
}

status add_flat(const disk_staging_area& files, snapshot_manifest& manifest) {
  const hash_job memory{.fd = files.memory_fd.get(),
                        .path = files.directory + "/" + memory_file,
                        .bytes = manifest.memory_bytes,
                        .start_writeback = true};
  if (auto good = check_memory_size(memory.fd, memory.path, memory.bytes);
      !good)
    return good;
  const auto extents = flat_hashes(files, memory);
  if (!extents)
    return tl::unexpected<failure>(extents.error());
  manifest.extents = to_hex(*extents);
  return {};
}

status add_diff(disk_staging_area& files, snapshot_manifest& manifest) {
  const auto table = files.diff->finish();
  if (!table)
    return tl::unexpected<failure>(table.error());
  const auto runs = runs_hash_of(table->runs);
  if (!runs)
    return tl::unexpected<failure>(runs.error());
  manifest.form = sealed_form::diff;
  manifest.data_bytes = table->data_bytes;
  manifest.runs = table->runs.size();
  manifest.runs_hash = to_hex(*runs);
  manifest.extents = to_hex(table->digests);
  return {};
}

status add_hashes(disk_staging_area& files, snapshot_manifest& manifest) {
  const auto state = hash_file({.fd = files.vmstate.get(),
                                .path = files.directory + "/" + vmstate_file,
                                .bytes = manifest.vmstate_bytes});
  if (!state)
    return tl::unexpected<failure>(state.error());
  manifest.vmstate_hash = to_hex(*state);
  manifest.extent_bytes = hash_extent_bytes;
  auto done =
    files.diff ? add_diff(files, manifest) : add_flat(files, manifest);
  if (!done)
    return done;
  const auto root = root_hash_of(manifest);
  if (!root)
    return tl::unexpected<failure>(root.error());
  manifest.root_hash = *root;
  return files.key ? sign(manifest, *files.key) : status{};
}

/// What could not be read again is not written.
status check_limits(const disk_staging_area& files,
                    const snapshot_manifest& manifest) {
  const auto why = broken_limit(manifest);
  return why.empty()
           ? status{}
           : fail(ec::unsupported, files.directory + ": the snapshot " + why);
}

status add_disks(disk_staging_area& files, snapshot_manifest& manifest) {
  if (files.disks.empty())
    return {};
  auto disks = seal_disks(files.disks, files.directory, files.known_layers);
  if (!disks)
    return tl::unexpected<failure>(disks.error());
  manifest.disks = std::move(*disks);
  return {};
}

status sync_memory(disk_staging_area& files) {
  auto done =
    sync_data(files.memory_fd.get(),
              files.directory + "/" + (files.diff ? diff_name : memory_file));
  if (done && files.diff)
    files.diff->note_synced();
  if (done && files.flat)
    files.flat->note_synced();
  return done;
}

/// Into the file that was reserved for it. It needs no rename of its own:
/// nobody looks at the directory before that has been renamed.
status write_manifest(const std::string& path, const std::string& text) {
  const auto fd = open_file(path, O_WRONLY | O_CREAT);
  if (!fd)
    return tl::unexpected<failure>(fd.error());
  auto done = write_at(fd->get(), text, 0, path);
  if (done)
    done = give_back(fd->get(), text.size(), path);
  if (done)
    done = sync_data(fd->get(), path);
  return done;
}

} // namespace

microseconds sealing_time() {
  return std::chrono::duration_cast<microseconds>(
    std::chrono::system_clock::now().time_since_epoch());
}

status finish_directory(const std::string& directory,
                        const snapshot_manifest& manifest) {
  const auto text = manifest_text(manifest);
  if (!text)
    return tl::unexpected<failure>(text.error());
  auto done = write_manifest(directory + "/" + manifest_file, *text);
  if (done)
    done = fault_point("seal.manifest_synced");
  if (done)
    done = sync_directory(directory);
  if (done)
    done = fault_point("seal.directory_synced");
  return done;
}

expected<snapshot_manifest> complete_staging(disk_staging_area& files,
                                             snapshot_manifest manifest,
                                             const annotation& words) {
  const auto vmstate_path = files.directory + "/" + vmstate_file;
  auto done = fault_point("seal.begun");
  // Runs the next step unless one before it failed.
  const auto then = [&done](auto step) {
    if (done)
      done = step();
  };
  then([&] {
    return give_back(files.vmstate.get(), manifest.vmstate_bytes, vmstate_path);
  });
  // Before it is synced, so that what is told of its size is on the disk.
  then(
    [&] { return files.flat ? files.flat->give_back_unwritten() : status{}; });
  then([&] { return add_disks(files, manifest); });
  then([&] { return check_limits(files, manifest); });
  then([&] { return add_hashes(files, manifest); });
  then([] { return fault_point("seal.hashed"); });
  then([&] { return sync_memory(files); });
  then([] { return fault_point("seal.memory_synced"); });
  then([&] { return sync_data(files.vmstate.get(), vmstate_path); });
  then([] { return fault_point("seal.vmstate_synced"); });
  then([&] {
    return words.empty()
             ? status{}
             : write_annotation(files.directory, manifest.root_hash, words);
  });
  then([&] {
    manifest.created_at = sealing_time();
    return finish_directory(files.directory, manifest);
  });
  if (!done)
    return tl::unexpected<failure>(done.error());
  return manifest;
}

} // namespace forkfleet
