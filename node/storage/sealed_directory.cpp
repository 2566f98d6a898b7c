// SPDX-License-Identifier: Apache-2.0
#include "node/storage/sealed_directory.hpp"

#include <array>
#include <sys/stat.h>

#include "node/storage/diff_format.hpp"
#include "node/storage/file.hpp"
#include "node/storage/label_record.hpp"
#include "node/storage/sealed_disks.hpp"

namespace forkfleet {

namespace {

constexpr std::array own_files{memory_file,   diff_name,        vmstate_file,
                               manifest_file, flat_record_file, label_file};

status check_size(const std::string& path, uint64_t bytes) {
  struct stat info {};
  if (::lstat(path.c_str(), &info) != 0 || !S_ISREG(info.st_mode))
    return fail(ec::snapshot_corrupt, path + " is no file");
  if (static_cast<uint64_t>(info.st_size) != bytes)
    return fail(ec::snapshot_corrupt,
                path + " has " + std::to_string(info.st_size)
                  + " bytes; its manifest says " + std::to_string(bytes));
  return {};
}

uint64_t diff_bytes_of(const snapshot_manifest& manifest) {
  return diff_file_bytes(manifest.data_bytes, manifest.runs);
}

status check_memory(const std::string& directory,
                    const snapshot_manifest& manifest) {
  if (is_flat(directory, manifest))
    return {};
  if (manifest.form == sealed_form::flat)
    return check_size(directory + "/" + memory_file, manifest.memory_bytes);
  return check_size(directory + "/" + diff_name, diff_bytes_of(manifest));
}

} // namespace

expected<snapshot_manifest> read_sealed(const std::string& directory,
                                        const snapshot_tag& tag) {
  const auto path = directory + "/" + manifest_file;
  const auto text = read_small_file(path, manifest_bytes_max);
  if (!text)
    return fail(ec::snapshot_corrupt, text.error().message);
  auto manifest = manifest_from_text(*text, path);
  if (!manifest)
    return manifest;
  status good;
  if (manifest->tag != tag)
    good = fail(ec::snapshot_corrupt,
                path + " is of the snapshot " + manifest->tag.value);
  if (good)
    good = check_memory(directory, *manifest);
  if (good)
    good = check_size(directory + "/" + vmstate_file, manifest->vmstate_bytes);
  for (const auto& disk : manifest->disks)
    for (std::size_t i = 0; good && i < disk.layers.size(); ++i)
      good =
        check_size(layer_path(directory, disk.name, i), disk.layers[i].bytes);
  if (!good)
    return tl::unexpected<failure>(good.error());
  return manifest;
}

expected<flat_record> read_flat_record(const std::string& directory,
                                       const snapshot_manifest& manifest) {
  const auto path = directory + "/" + flat_record_file;
  const auto text = read_small_file(path, manifest_bytes_max);
  if (!text)
    return fail(ec::snapshot_corrupt, text.error().message);
  return flat_record_from_text(*text, path, manifest);
}

bool is_flat(const std::string& directory, const snapshot_manifest& manifest) {
  return check_size(directory + "/" + memory_file, manifest.memory_bytes)
         && (manifest.form == sealed_form::flat
             || read_flat_record(directory, manifest));
}

expected<std::vector<sha256>> flat_extents(const std::string& directory,
                                           const snapshot_manifest& manifest) {
  if (manifest.form == sealed_form::flat)
    return from_hex(manifest.extents);
  const auto record = read_flat_record(directory, manifest);
  if (!record)
    return tl::unexpected<failure>(record.error());
  return from_hex(record->extents);
}

uint64_t stored_bytes_of(const std::string& directory) {
  uint64_t sum = 0;
  for (const auto* name : own_files)
    sum += stored_bytes(directory + "/" + name);
  return sum + layers_stored_in(directory);
}

uint64_t unique_bytes_of(const std::string& directory) {
  uint64_t sum = 0;
  for (const auto* name : own_files)
    sum += unshared_bytes(directory + "/" + name);
  return sum + layers_unique_in(directory);
}

expected<bool> clear_leftovers(const std::string& directory,
                               const snapshot_manifest& manifest) {
  if (manifest.form == sealed_form::flat)
    return false;
  // Without its diff the image is all there is, even if what vouches for it
  // cannot be read at this moment.
  const auto record = directory + "/" + flat_record_file;
  std::vector<std::string> leftovers{record + std::string{unfinished_suffix}};
  if (is_flat(directory, manifest)) {
    leftovers.push_back(directory + "/" + diff_name);
  } else if (path_exists(directory + "/" + diff_name)) {
    leftovers.push_back(record);
    leftovers.push_back(directory + "/" + memory_file);
  }
  bool found = false;
  for (const auto& path : leftovers) {
    if (!path_exists(path))
      continue;
    found = true;
    if (auto gone = remove_file(path); !gone)
      return tl::unexpected<failure>(gone.error());
  }
  if (found)
    if (auto synced = sync_directory(directory); !synced)
      return tl::unexpected<failure>(synced.error());
  return found;
}

} // namespace forkfleet
