// SPDX-License-Identifier: Apache-2.0
// The reading side of disk_snapshot_store: what is sealed, and whether it is
// whole.
#include <fcntl.h>
#include <sys/stat.h>

#include "node/storage/disk_snapshot_store.hpp"
#include "node/storage/file.hpp"
#include "node/storage/reservation.hpp"

namespace forkfleet {

namespace {

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

status check_extents(const std::string& path,
                     const snapshot_manifest& manifest) {
  const auto fd = open_file(path, O_RDONLY);
  if (!fd)
    return tl::unexpected<failure>(fd.error());
  const auto found = hash_extents(
    {.fd = fd->get(), .path = path, .bytes = manifest.memory_bytes});
  if (!found)
    return tl::unexpected<failure>(found.error());
  for (std::size_t i = 0; i < found->size(); ++i)
    if (to_hex((*found)[i]) != manifest.extents[i])
      return fail(ec::snapshot_corrupt, path + ": extent " + std::to_string(i)
                                          + " is not what was sealed");
  return {};
}

status check_vmstate(const std::string& path,
                     const snapshot_manifest& manifest) {
  const auto fd = open_file(path, O_RDONLY);
  if (!fd)
    return tl::unexpected<failure>(fd.error());
  const auto found =
    hash_file({.fd = fd->get(), .path = path, .bytes = manifest.vmstate_bytes});
  if (!found)
    return tl::unexpected<failure>(found.error());
  if (to_hex(*found) != manifest.vmstate_hash)
    return fail(ec::snapshot_corrupt, path + " is not what was sealed");
  return {};
}

} // namespace

disk_snapshot_store::disk_snapshot_store(data_directory_ptr data,
                                         host_name host)
  : data_(std::move(data)), host_(std::move(host)),
    file_system_(file_system_of(data_->staging())) {}

expected<std::shared_ptr<disk_snapshot_store>>
disk_snapshot_store::open_in(data_directory_ptr data, host_name host) {
  const std::shared_ptr<disk_snapshot_store> result{
    new disk_snapshot_store(std::move(data), std::move(host))};
  if (auto loaded = result->load_index(); !loaded)
    return tl::unexpected<failure>(loaded.error());
  return result;
}

status disk_snapshot_store::load_index() {
  const auto names = list_directory(data_->snapshots());
  if (!names)
    return tl::unexpected<failure>(names.error());
  for (const auto& name : *names)
    if (auto loaded = load_one(name); !loaded)
      problems_.push_back(loaded.error().message
                          + "; it is not listed; look at it, then remove it");
  return {};
}

status disk_snapshot_store::load_one(const std::string& name) {
  const snapshot_tag tag{name};
  if (!is_valid(tag))
    return fail(ec::snapshot_corrupt,
                data_->snapshots() + "/" + name + " has a name of no snapshot");
  if (index_.size() >= snapshots_max)
    return fail(ec::snapshot_corrupt, directory_of(tag)
                                        + " is beyond the first "
                                        + std::to_string(snapshots_max));
  const auto manifest = load_manifest(tag);
  if (!manifest)
    return tl::unexpected<failure>(manifest.error());
  index_.emplace(tag, describe(*manifest));
  return {};
}

expected<snapshot_manifest>
disk_snapshot_store::load_manifest(const snapshot_tag& tag) const {
  const auto directory = directory_of(tag);
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
    good = check_size(directory + "/" + memory_file, manifest->memory_bytes);
  if (good)
    good = check_size(directory + "/" + vmstate_file, manifest->vmstate_bytes);
  if (!good)
    return tl::unexpected<failure>(good.error());
  return manifest;
}

snapshot_info
disk_snapshot_store::describe(const snapshot_manifest& manifest) const {
  const auto directory = directory_of(manifest.tag);
  uint64_t stored = 0;
  for (const auto* name : {memory_file, vmstate_file, manifest_file})
    stored += stored_bytes(directory + "/" + name);
  return {.tag = manifest.tag,
          .host = host_,
          .source = manifest.source,
          .parent = manifest.parent,
          .operation = manifest.operation,
          .mode = manifest.mode,
          .method = manifest.method,
          .driver = manifest.contract.driver,
          .root_hash = manifest.root_hash,
          .memory_bytes = manifest.memory_bytes,
          .stored_bytes = stored,
          .created_at = manifest.created_at,
          .directory = directory};
}

bool disk_snapshot_store::knows(const snapshot_tag& tag) {
  const std::lock_guard lock{mutex_};
  return index_.count(tag) != 0;
}

std::vector<snapshot_info> disk_snapshot_store::list() {
  const std::lock_guard lock{mutex_};
  std::vector<snapshot_info> result;
  result.reserve(index_.size());
  for (const auto& [tag, info] : index_)
    result.push_back(info);
  return result;
}

expected<snapshot_files> disk_snapshot_store::open(const snapshot_tag& tag) {
  if (!knows(tag))
    return fail(ec::unknown_snapshot, tag.value);
  const auto manifest = load_manifest(tag);
  if (!manifest)
    return tl::unexpected<failure>(manifest.error());
  const auto directory = directory_of(tag);
  return snapshot_files{.info = describe(*manifest),
                        .contract = manifest->contract,
                        .memory = flat_layout(directory + "/" + memory_file,
                                              manifest->memory_bytes),
                        .vmstate_path = directory + "/" + vmstate_file};
}

expected<verify_result> disk_snapshot_store::verify(const snapshot_tag& tag,
                                                    const stop_asked&) {
  if (!knows(tag))
    return fail(ec::unknown_snapshot, tag.value);
  const auto manifest = load_manifest(tag);
  if (!manifest)
    return tl::unexpected<failure>(manifest.error());
  const auto directory = directory_of(tag);
  auto good = check_extents(directory + "/" + memory_file, *manifest);
  if (good)
    good = check_vmstate(directory + "/" + vmstate_file, *manifest);
  if (!good)
    return tl::unexpected<failure>(good.error());
  return verify_result{.bytes =
                         manifest->memory_bytes + manifest->vmstate_bytes,
                       .hashes = manifest->extents.size() + 1};
}

expected<memory_image_ptr> disk_snapshot_store::image(const snapshot_tag& tag) {
  return fail(ec::unsupported, tag.value + " cannot be read yet");
}

snapshot_info disk_snapshot_store::find_root(const std::string& root_hash) {
  const std::lock_guard lock{mutex_};
  for (const auto& [tag, info] : index_)
    if (info.root_hash == root_hash)
      return info;
  return {};
}

status disk_snapshot_store::flatten(const snapshot_tag& tag,
                                    const stop_asked&) {
  if (!knows(tag))
    return fail(ec::unknown_snapshot, tag.value);
  return {};
}

expected<archive_result> disk_snapshot_store::export_to(const snapshot_tag& tag,
                                                        const std::string&,
                                                        const stop_asked&) {
  return fail(ec::unsupported, "export of " + tag.value);
}

expected<archive_result>
disk_snapshot_store::import_from(const std::string& path, const snapshot_tag&,
                                 const stop_asked&) {
  return fail(ec::unsupported, "import of " + path);
}

std::vector<std::string> disk_snapshot_store::problems() {
  const std::lock_guard lock{mutex_};
  return problems_;
}

} // namespace forkfleet
