// SPDX-License-Identifier: Apache-2.0
#include <chrono>
#include <fcntl.h>

#include "actors/fault.hpp"
#include "node/storage/file.hpp"
#include "node/storage/reservation.hpp"
#include "node/storage/staging.hpp"

namespace forkfleet {

namespace {

microseconds unix_time() {
  return std::chrono::duration_cast<microseconds>(
    std::chrono::system_clock::now().time_since_epoch());
}

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

status add_hashes(const hash_job& memory, const hash_job& vmstate,
                  snapshot_manifest& manifest) {
  const auto extents = hash_extents(memory);
  if (!extents)
    return tl::unexpected<failure>(extents.error());
  const auto state = hash_file(vmstate);
  if (!state)
    return tl::unexpected<failure>(state.error());
  manifest.extent_bytes = hash_extent_bytes;
  manifest.extents.clear();
  for (const auto& extent : *extents)
    manifest.extents.push_back(to_hex(extent));
  manifest.vmstate_hash = to_hex(*state);
  const auto root = root_hash_of(manifest);
  if (!root)
    return tl::unexpected<failure>(root.error());
  manifest.root_hash = *root;
  return {};
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

expected<snapshot_manifest> complete_staging(const std::string& directory,
                                             const staging_area& files,
                                             snapshot_manifest manifest) {
  const auto memory_path = directory + "/" + memory_file;
  const auto opened = open_file(memory_path, O_RDWR);
  if (!opened)
    return tl::unexpected<failure>(opened.error());
  const hash_job memory{.fd = opened->get(),
                        .path = memory_path,
                        .bytes = manifest.memory_bytes,
                        .start_writeback = true};
  const hash_job vmstate{.fd = files.vmstate_fd(),
                         .path = directory + "/" + vmstate_file,
                         .bytes = manifest.vmstate_bytes};
  auto done = fault_point("seal.begun");
  // Runs the next step unless one before it failed.
  const auto then = [&done](auto step) {
    if (done)
      done = step();
  };
  then([&] { return check_memory_size(memory.fd, memory.path, memory.bytes); });
  then([&] { return give_back(vmstate.fd, vmstate.bytes, vmstate.path); });
  then([&] { return add_hashes(memory, vmstate, manifest); });
  then([] { return fault_point("seal.hashed"); });
  then([&] { return sync_data(memory.fd, memory.path); });
  then([] { return fault_point("seal.memory_synced"); });
  then([&] { return sync_data(vmstate.fd, vmstate.path); });
  then([] { return fault_point("seal.vmstate_synced"); });
  then([&] {
    manifest.created_at = unix_time();
    return write_manifest(directory + "/" + manifest_file,
                          manifest_text(manifest));
  });
  then([] { return fault_point("seal.manifest_synced"); });
  then([&] { return sync_directory(directory); });
  then([] { return fault_point("seal.directory_synced"); });
  if (!done)
    return tl::unexpected<failure>(done.error());
  return manifest;
}

} // namespace forkfleet
