// SPDX-License-Identifier: Apache-2.0
// How disk_snapshot_store packs a snapshot into one file and takes one out of
// it. An archive holds, in this order: manifest.json, flat.json where the
// snapshot is a diff, vmstate, memory.bin, the layers of its disks, labels.json
// where something is said of it. It needs no other snapshot; what the disks'
// layers lie over is a file of the user's, as the kernel is.
#include <algorithm>
#include <fcntl.h>
#include <filesystem>

#include "node/storage/archive_reader.hpp"
#include "node/storage/disk_snapshot_store.hpp"
#include "node/storage/file.hpp"
#include "node/storage/image_export.hpp"
#include "node/storage/label_record.hpp"
#include "node/storage/qcow2_file.hpp"
#include "node/storage/sealed_directory.hpp"

namespace forkfleet {

namespace {

/// Data and what qcow2 says about it.
constexpr uint64_t layer_bytes_max = 2 * qcow2_bytes_max;

std::string parent_directory(const std::string& path) {
  const auto parent = std::filesystem::path{path}.parent_path().string();
  return parent.empty() ? "." : parent;
}

int64_t seconds_of(const snapshot_manifest& manifest) {
  return std::chrono::duration_cast<std::chrono::seconds>(manifest.created_at)
    .count();
}

status put_vmstate(archive_writer& archive, const std::string& directory,
                   const snapshot_manifest& manifest) {
  const auto path = directory + "/" + vmstate_file;
  const auto fd = open_file(path, O_RDONLY);
  if (!fd)
    return tl::unexpected<failure>(fd.error());
  auto done = archive.begin({.name = vmstate_file,
                             .bytes = manifest.vmstate_bytes,
                             .seconds = seconds_of(manifest)});
  std::vector<uint8_t> piece(1u << 20);
  for (uint64_t at = 0; done && at < manifest.vmstate_bytes;
       at += piece.size()) {
    piece.resize(std::min<uint64_t>(piece.size(), manifest.vmstate_bytes - at));
    done = read_at(fd->get(), piece, at, path);
    if (done)
      done = archive.add(piece);
  }
  return done;
}

/// Nothing, when nothing is said of the snapshot.
status put_words(archive_writer& archive, const std::string& directory,
                 const snapshot_manifest& manifest) {
  const auto words = read_annotation(directory, manifest.root_hash);
  if (!words)
    return tl::unexpected<failure>(words.error());
  if (words->empty())
    return {};
  const auto text = annotation_text(manifest.root_hash, *words);
  return text ? archive.put(label_file, seconds_of(manifest), *text)
              : tl::unexpected<failure>(text.error());
}

/// What is said of it, and that nothing follows, into the staging.
status unpack_words(archive_reader& archive, const std::string& directory,
                    const snapshot_manifest& manifest) {
  const auto has_words =
    archive.next_if_any(label_file, label_record_bytes_max);
  if (!has_words)
    return tl::unexpected<failure>(has_words.error());
  if (!*has_words)
    return archive.end();
  const auto text = archive.read_text();
  if (!text)
    return tl::unexpected<failure>(text.error());
  const auto words =
    annotation_from_text(*text, label_file, manifest.root_hash);
  if (!words)
    return fail(ec::snapshot_corrupt,
                std::string{label_file}
                  + " is damaged, or of another snapshot; export it again");
  if (auto done = archive.end(); !done)
    return done;
  return write_annotation(directory, manifest.root_hash, *words);
}

/// The manifest as it was exported, and nothing else yet.
expected<snapshot_manifest> read_first(archive_reader& archive,
                                       const std::string& path) {
  const auto header = archive.next(manifest_file, manifest_bytes_max);
  if (!header)
    return tl::unexpected<failure>(header.error());
  const auto text = archive.read_text();
  if (!text)
    return tl::unexpected<failure>(text.error());
  auto result = manifest_from_text(*text, path + ": " + manifest_file);
  if (result
      && (result->memory_bytes == 0 || result->memory_bytes > guest_memory_max
          || result->vmstate_bytes > guest_memory_max))
    return fail(ec::snapshot_corrupt, path + ": no guest has "
                                        + std::to_string(result->memory_bytes)
                                        + " bytes of memory");
  if (result)
    for (const auto& disk : result->disks)
      for (const auto& layer : disk.layers)
        if (layer.bytes > layer_bytes_max)
          return fail(ec::snapshot_corrupt, path + ": no disk has a layer of "
                                              + std::to_string(layer.bytes)
                                              + " bytes");
  return result;
}

} // namespace

expected<uint64_t> disk_snapshot_store::write_archive(const held_chain& chain,
                                                      const std::string& path,
                                                      const stop_asked& stop) {
  const auto& info = chain.links.front().info;
  const pace how{options_.gate, stop};
  const auto manifest = read_sealed(info.directory, info.tag);
  const auto text =
    read_small_file(info.directory + "/" + manifest_file, manifest_bytes_max);
  const auto image = open_layers(chain);
  if (!manifest || !text || !image)
    return tl::unexpected<failure>(!manifest ? manifest.error()
                                   : !text   ? text.error()
                                             : image.error());
  const auto known = survey(**image, how);
  if (!known)
    return tl::unexpected<failure>(known.error());
  const auto record = flat_record_text({.root_hash = manifest->root_hash,
                                        .memory_bytes = manifest->memory_bytes,
                                        .extents = to_hex(known->extents)});
  auto archive = archive_writer::make(path);
  if (!record || !archive)
    return tl::unexpected<failure>(record ? archive.error() : record.error());
  const auto seconds = seconds_of(*manifest);
  auto done = (*archive)->put(manifest_file, seconds, *text);
  if (done && manifest->form == sealed_form::diff)
    done = (*archive)->put(flat_record_file, seconds, *record);
  if (done)
    done = put_vmstate(**archive, info.directory, *manifest);
  if (done)
    done = write_image(**archive, **image, *known, seconds, how);
  if (done)
    done =
      write_layers(**archive, info.directory, manifest->disks, seconds, how);
  if (done)
    done = put_words(**archive, info.directory, *manifest);
  if (!done)
    return tl::unexpected<failure>(done.error());
  return (*archive)->end();
}

expected<archive_result>
disk_snapshot_store::export_to(const snapshot_tag& tag, const std::string& path,
                               const stop_asked& stop) {
  if (path_exists(path))
    return fail(ec::invalid_request, path + " is there already");
  const auto chain = hold_chain(tag);
  if (!chain)
    return tl::unexpected<failure>(chain.error());
  // An archive vouches for itself: nothing damaged may get into one.
  if (const auto good = verify(tag, stop); !good)
    return tl::unexpected<failure>(good.error());
  const auto unfinished = path + std::string{unfinished_suffix};
  static_cast<void>(remove_file(unfinished));
  const auto bytes = write_archive(*chain, unfinished, stop);
  status done;
  if (!bytes)
    done = tl::unexpected<failure>(bytes.error());
  if (done)
    done = rename_to_free(unfinished, path);
  if (!done)
    static_cast<void>(remove_file(unfinished));
  if (done)
    done = sync_directory(parent_directory(path));
  if (!done)
    return tl::unexpected<failure>(done.error());
  return archive_result{chain->links.front().info, path, *bytes};
}

expected<snapshot_manifest> disk_snapshot_store::import_staged(
  archive_reader& archive, snapshot_manifest manifest, disk_staging_area& area,
  const stop_asked& stop) {
  auto extents = from_hex(manifest.extents);
  std::string record;
  if (manifest.form == sealed_form::diff) {
    const auto header = archive.next(flat_record_file, manifest_bytes_max);
    const auto text =
      header ? archive.read_text() : tl::unexpected<failure>(header.error());
    const auto found =
      text ? flat_record_from_text(*text, flat_record_file, manifest)
           : tl::unexpected<failure>(text.error());
    if (!found)
      return tl::unexpected<failure>(found.error());
    record = *text;
    extents = from_hex(found->extents);
  }
  if (!extents)
    return tl::unexpected<failure>(extents.error());
  auto done = unpack_files(archive, manifest, *extents,
                           {.area = area,
                            .file_system = file_system_,
                            .how = {options_.gate, stop},
                            .debt = debt_});
  if (done)
    done = unpack_words(archive, area.directory, manifest);
  if (done && !record.empty())
    done = write_durably(area.directory + "/" + flat_record_file, record);
  if (done)
    done = finish_directory(area.directory, manifest);
  if (!done)
    return tl::unexpected<failure>(done.error());
  return manifest;
}

expected<snapshot_info> disk_snapshot_store::import_as(
  archive_reader& archive, snapshot_manifest manifest, const snapshot_tag& tag,
  const stop_asked& stop) {
  manifest.format_version = version_of(manifest);
  manifest.tag = tag;
  manifest.host = host_;
  staging_request request{.tag = tag,
                          .memory_bytes = manifest.memory_bytes,
                          .vmstate_bytes = manifest.vmstate_bytes,
                          .policy = reserve_policy::off};
  {
    const std::lock_guard lock{mutex_};
    request.operation = {"import-" + std::to_string(++imports_)};
    // Its parent may never have been here, or be another by now.
    const auto* const parent = table_.find(manifest.parent);
    if (parent == nullptr || parent->info.root_hash != manifest.parent_hash) {
      manifest.parent = {};
      manifest.parent_hash = {};
    }
  }
  if (auto taken = take_claim(request); !taken)
    return tl::unexpected<failure>(taken.error().error);
  expected<snapshot_info> result;
  {
    auto area =
      make_staging(request, {data_->staging(), request.operation.value,
                             file_system_, debt_});
    auto staged = area
                    ? import_staged(archive, std::move(manifest), **area, stop)
                    : tl::unexpected<failure>(area.error().error);
    result = staged ? make_visible(request.operation, *staged)
                    : tl::unexpected<failure>(staged.error());
  }
  if (!result)
    discard(request.operation);
  return result;
}

expected<archive_result> disk_snapshot_store::import_from(
  const std::string& path, const snapshot_tag& tag, const stop_asked& stop) {
  const auto archive = archive_reader::open(path);
  if (!archive)
    return tl::unexpected<failure>(archive.error());
  auto manifest = read_first(**archive, path);
  if (!manifest)
    return tl::unexpected<failure>(manifest.error());
  const auto wanted = tag.value.empty() ? manifest->tag : tag;
  const auto info = import_as(**archive, std::move(*manifest), wanted, stop);
  if (!info)
    return fail(info.error().code, path + ": " + info.error().message);
  return archive_result{*info, path, (*archive)->file_bytes()};
}

} // namespace forkfleet
