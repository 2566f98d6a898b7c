// SPDX-License-Identifier: Apache-2.0
#include "node/storage/snapshot_check.hpp"

#include <fcntl.h>

#include "node/storage/diff_file.hpp"
#include "node/storage/file.hpp"
#include "node/storage/sealed_directory.hpp"
#include "node/storage/sealed_disks.hpp"

namespace forkfleet {

status snapshot_check::memory(const std::string& directory,
                              const snapshot_manifest& manifest) {
  status done;
  const bool has_flat = is_flat(directory, manifest);
  if (has_flat)
    done = flat(directory, manifest);
  if (done && manifest.form == sealed_form::diff
      && (!has_flat || path_exists(directory + "/" + diff_name)))
    done = diff(directory, manifest);
  return done;
}

status snapshot_check::flat(const std::string& directory,
                            const snapshot_manifest& manifest) {
  const auto wanted = flat_extents(directory, manifest);
  if (!wanted)
    return tl::unexpected<failure>(wanted.error());
  const auto path = directory + "/" + memory_file;
  const auto fd = open_file(path, O_RDONLY);
  if (!fd)
    return tl::unexpected<failure>(fd.error());
  const auto found = hash_extents({.fd = fd->get(),
                                   .path = path,
                                   .bytes = manifest.memory_bytes,
                                   .stop = stop_});
  if (!found)
    return tl::unexpected<failure>(found.error());
  for (std::size_t i = 0; i < found->size(); ++i)
    if ((*found)[i] != (*wanted)[i])
      return fail(ec::snapshot_corrupt, path + ": extent " + std::to_string(i)
                                          + " is not what was sealed");
  result_.bytes += manifest.memory_bytes;
  result_.hashes += found->size();
  return {};
}

status snapshot_check::diff(const std::string& directory,
                            const snapshot_manifest& manifest) {
  const auto path = directory + "/" + diff_name;
  const auto file = open_diff(path);
  if (!file)
    return tl::unexpected<failure>(file.error());
  const auto& table = file->table;
  const auto runs = runs_hash_of(table.runs);
  if (!runs)
    return tl::unexpected<failure>(runs.error());
  if (to_hex(*runs) != manifest.runs_hash
      || to_hex(table.base) != manifest.base_hash
      || to_hex(table.digests) != manifest.extents
      || table.memory_bytes != manifest.memory_bytes)
    return fail(ec::snapshot_corrupt,
                path + " is another diff than its manifest says");
  if (auto good = verify_data(*file, stop_); !good)
    return good;
  result_.bytes += diff_file_bytes(table.data_bytes, table.runs.size());
  result_.hashes += table.digests.size() + 1;
  return {};
}

status snapshot_check::vmstate(const std::string& directory,
                               const snapshot_manifest& manifest) {
  const auto path = directory + "/" + vmstate_file;
  const auto fd = open_file(path, O_RDONLY);
  if (!fd)
    return tl::unexpected<failure>(fd.error());
  const auto found = hash_file({.fd = fd->get(),
                                .path = path,
                                .bytes = manifest.vmstate_bytes,
                                .stop = stop_});
  if (!found)
    return tl::unexpected<failure>(found.error());
  if (to_hex(*found) != manifest.vmstate_hash)
    return fail(ec::snapshot_corrupt, path + " is not what was sealed");
  result_.bytes += manifest.vmstate_bytes;
  ++result_.hashes;
  return {};
}

status snapshot_check::disks(const std::string& directory,
                             const snapshot_manifest& manifest) {
  for (const auto& disk : manifest.disks)
    for (std::size_t i = 0; i < disk.layers.size(); ++i) {
      if (stop_ && stop_())
        return fail(ec::interrupted, directory + ": while it was checked");
      const auto path = layer_path(directory, disk.name, i);
      const auto found = hash_layer(path, stop_);
      if (!found)
        return tl::unexpected<failure>(found.error());
      if (*found != disk.layers[i])
        return fail(ec::snapshot_corrupt, path + " is not what was sealed");
      result_.bytes += found->bytes;
      ++result_.hashes;
    }
  return {};
}

} // namespace forkfleet
