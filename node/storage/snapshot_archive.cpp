// SPDX-License-Identifier: Apache-2.0
// How disk_snapshot_store packs a snapshot into one file and takes one out of
// it. An archive holds, in this order: manifest.json, vmstate, memory.bin, the
// layers of its disks, labels.json where something is said of it. It needs no
// other snapshot, and its manifest is that of a flat one: a diff gets, on its
// way out, a root hash that covers all of its memory. What the disks' layers
// lie over is a file of the user's, as the kernel is. Archives of older
// versions have flat.json behind the manifest where they hold a diff.
#include <algorithm>
#include <fcntl.h>
#include <filesystem>

#include "node/storage/archive_reader.hpp"
#include "node/storage/contract_text.hpp"
#include "node/storage/disk_snapshot_store.hpp"
#include "node/storage/file.hpp"
#include "node/storage/image_export.hpp"
#include "node/storage/label_record.hpp"
#include "node/storage/sealed_directory.hpp"
#include "node/storage/snapshot_signature.hpp"

namespace forkfleet {

namespace {

/// How much of a contract an error tells.
constexpr std::size_t told_contract_max = 2000;

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

/// Nothing, when nothing is said of the snapshot, whose root hash is another
/// than that of its archive when it is a diff.
status put_words(archive_writer& archive, const std::string& directory,
                 const std::string& sealed_root,
                 const snapshot_manifest& manifest) {
  const auto words = read_annotation(directory, sealed_root);
  if (!words)
    return tl::unexpected<failure>(words.error());
  if (words->empty())
    return {};
  const auto text = annotation_text(manifest.root_hash, *words);
  return text ? archive.put(label_file, seconds_of(manifest), *text)
              : tl::unexpected<failure>(text.error());
}

/// What is said of it, and that nothing follows, into the staging. The words
/// are those of `archived_root`, which an older version gave it.
status unpack_words(archive_reader& archive, const std::string& directory,
                    const std::string& archived_root,
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
  const auto words = annotation_from_text(*text, label_file, archived_root);
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
  if (result && result->memory_bytes == 0)
    return fail(ec::snapshot_corrupt, path + ": holds no memory");
  if (result && result->form == sealed_form::diff
      && result->format_version == manifest_version)
    return fail(ec::snapshot_corrupt,
                path + ": is of a diff; an archive holds all of the memory");
  return result;
}

/// All of the memory is in one file, whatever it was before.
void make_flat(snapshot_manifest& x, std::vector<std::string> extents) {
  x.form = sealed_form::flat;
  x.base = {};
  x.base_hash = {};
  x.data_bytes = 0;
  x.runs = 0;
  x.runs_hash = {};
  x.extents = std::move(extents);
}

/// Gives it the identity that its content and its contract have now. What an
/// older version, or another form, was signed with is void.
status make_current(snapshot_manifest& x) {
  x.format_version = manifest_version;
  const auto root = root_hash_of(x);
  if (!root)
    return tl::unexpected<failure>(root.error());
  if (*root == x.root_hash)
    return {};
  x.root_hash = *root;
  x.signed_by = {};
  x.signature = {};
  return {};
}

/// The extents of an older archive's image, which came as a diff's.
expected<std::vector<std::string>>
read_flat_record(archive_reader& archive, const snapshot_manifest& manifest) {
  const auto header = archive.next(flat_record_file, manifest_bytes_max);
  const auto text =
    header ? archive.read_text() : tl::unexpected<failure>(header.error());
  auto found = text ? flat_record_from_text(*text, flat_record_file, manifest)
                    : tl::unexpected<failure>(text.error());
  if (!found)
    return tl::unexpected<failure>(found.error());
  return std::move(found->extents);
}

} // namespace

/// The manifest that an archive of a sealed snapshot begins with.
expected<snapshot_manifest>
disk_snapshot_store::to_archive(const snapshot_manifest& sealed,
                                const image_survey& known) const {
  auto result = sealed;
  if (sealed.form == sealed_form::diff)
    make_flat(result, to_hex(known.extents));
  auto done = make_current(result);
  // A stranger's snapshot is not made ours by packing it again.
  if (done && result.signature.empty() && options_.key && is_ours(sealed))
    done = sign(result, *options_.key);
  if (!done)
    return tl::unexpected<failure>(done.error());
  return result;
}

expected<uint64_t> disk_snapshot_store::write_archive(const held_chain& chain,
                                                      const std::string& path,
                                                      const stop_asked& stop) {
  const auto& info = chain.links.front().info;
  const pace how{options_.gate, stop};
  const auto sealed = read_sealed(info.directory, info.tag);
  const auto image = open_layers(chain);
  if (!sealed || !image)
    return tl::unexpected<failure>(sealed ? image.error() : sealed.error());
  const auto known = survey(**image, how);
  if (!known)
    return tl::unexpected<failure>(known.error());
  const auto manifest = to_archive(*sealed, *known);
  const auto text = manifest ? manifest_text(*manifest)
                             : tl::unexpected<failure>(manifest.error());
  auto archive =
    text ? archive_writer::make(path) : tl::unexpected<failure>(text.error());
  if (!archive)
    return tl::unexpected<failure>(archive.error());
  const auto seconds = seconds_of(*manifest);
  auto done = (*archive)->put(manifest_file, seconds, *text);
  if (done)
    done = put_vmstate(**archive, info.directory, *manifest);
  if (done)
    done = write_image(**archive, **image, *known, seconds, how);
  if (done)
    done =
      write_layers(**archive, info.directory, manifest->disks, seconds, how);
  if (done)
    done = put_words(**archive, info.directory, sealed->root_hash, *manifest);
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
  const auto archived_root = manifest.root_hash;
  if (manifest.form == sealed_form::diff) {
    auto extents = read_flat_record(archive, manifest);
    if (!extents)
      return tl::unexpected<failure>(extents.error());
    make_flat(manifest, std::move(*extents));
  }
  const auto extents = from_hex(manifest.extents);
  auto done =
    extents ? make_current(manifest) : tl::unexpected<failure>(extents.error());
  if (done)
    done = unpack_files(archive, manifest, *extents,
                        {.area = area,
                         .file_system = file_system_,
                         .how = {options_.gate, stop},
                         .debt = debt_});
  if (done)
    done = unpack_words(archive, area.directory, archived_root, manifest);
  if (done)
    done = finish_directory(area.directory, manifest);
  if (!done)
    return tl::unexpected<failure>(done.error());
  return manifest;
}

expected<snapshot_info> disk_snapshot_store::import_as(
  archive_reader& archive, snapshot_manifest manifest, const snapshot_tag& tag,
  const stop_asked& stop) {
  manifest.tag = tag;
  manifest.host = host_;
  manifest.origin = snapshot_origin::imported;
  manifest.created_at = std::min(manifest.created_at, sealing_time());
  staging_request request{.tag = tag,
                          .memory_bytes = manifest.memory_bytes,
                          .vmstate_bytes = manifest.vmstate_bytes,
                          .policy = reserve_policy::off};
  {
    const std::lock_guard lock{mutex_};
    request.operation = {"import-" + std::to_string(++imports_)};
    manifest.sequence = sequence_++;
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

status disk_snapshot_store::check_belief(const snapshot_manifest& manifest,
                                         const archive_belief& belief) const {
  if (belief.accept_unsigned || is_vouched_by(manifest, fleet_key())
      || is_vouched_by(manifest, belief.key))
    return {};
  return fail(ec::not_permitted,
              "vouched for by " + signature_text(manifest, fleet_key())
                + ", not by this fleet's key. A child of it would run: "
                + contract_line(manifest.contract, told_contract_max)
                + ". To believe it: forkfleet import --trust-key KEY, or "
                  "--unsigned");
}

expected<archive_contents>
disk_snapshot_store::look_into(const std::string& path) {
  const auto archive = archive_reader::open(path);
  if (!archive)
    return tl::unexpected<failure>(archive.error());
  const auto manifest = read_first(**archive, path);
  if (!manifest)
    return tl::unexpected<failure>(manifest.error());
  return archive_contents{manifest->tag, signature_text(*manifest, fleet_key()),
                          contract_lines(manifest->contract)};
}

expected<archive_result> disk_snapshot_store::import_from(
  const std::string& path, const snapshot_tag& tag, const stop_asked& stop,
  const archive_belief& belief) {
  const auto archive = archive_reader::open(path);
  if (!archive)
    return tl::unexpected<failure>(archive.error());
  auto manifest = read_first(**archive, path);
  if (!manifest)
    return tl::unexpected<failure>(manifest.error());
  if (auto believed = check_belief(*manifest, belief); !believed)
    return fail(believed.error().code, path + ": " + believed.error().message);
  const auto wanted = tag.value.empty() ? manifest->tag : tag;
  const auto info = import_as(**archive, std::move(*manifest), wanted, stop);
  if (!info)
    return fail(info.error().code, path + ": " + info.error().message);
  return archive_result{*info, path, (*archive)->file_bytes()};
}

} // namespace forkfleet
