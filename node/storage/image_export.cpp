// SPDX-License-Identifier: Apache-2.0
#include "node/storage/image_export.hpp"

#include <algorithm>
#include <fcntl.h>

#include "node/storage/file.hpp"
#include "node/storage/qcow2_file.hpp"
#include "node/storage/reservation.hpp"
#include "node/storage/sealed_disks.hpp"
#include "node/storage/zeros.hpp"

namespace forkfleet {

namespace {

/// Zeros of this size, in their place, are left out of an archive.
constexpr uint64_t export_piece_bytes = 1u << 20;

void add_range(std::vector<memory_range>& to, memory_range next) {
  if (!to.empty() && to.back().end == next.begin)
    to.back().end = next.end;
  else
    to.push_back(next);
}

/// Calls `take(start, bytes)` for each extent of the image.
template <class Take>
status for_each_extent(const memory_image& image, const pace& how, Take take) {
  std::vector<uint8_t> buffer(std::min(hash_extent_bytes, image.bytes()));
  status done;
  for (uint64_t at = 0; done && at < image.bytes(); at += hash_extent_bytes) {
    const auto bytes =
      std::span{buffer}.first(std::min(hash_extent_bytes, image.bytes() - at));
    done = how.wait();
    if (done)
      done = image.read(at, bytes);
    if (done)
      done = take(at, bytes);
  }
  return done;
}

status no_room_for(const std::string& directory, uint64_t needed,
                   const std::string& file_system) {
  const auto free = available_bytes(directory);
  if (!free)
    return tl::unexpected<failure>(free.error());
  if (*free >= needed)
    return {};
  return fail(ec::disk_full, "an import needs " + std::to_string(needed)
                               + " bytes in " + directory + " (" + file_system
                               + "): " + std::to_string(*free) + " are free, "
                               + std::to_string(needed - *free)
                               + " are missing");
}

status check_extents_of(const hash_job& job,
                        const std::vector<sha256>& wanted) {
  const auto found = hash_extents(job);
  if (!found)
    return tl::unexpected<failure>(found.error());
  for (std::size_t i = 0; i < wanted.size(); ++i)
    if ((*found)[i] != wanted[i])
      return fail(ec::snapshot_corrupt,
                  "extent " + std::to_string(i)
                    + " of the archive's memory.bin is not what was sealed");
  return {};
}

status check_vmstate_of(const hash_job& job, const std::string& wanted) {
  const auto found = hash_file(job);
  if (!found)
    return tl::unexpected<failure>(found.error());
  if (to_hex(*found) != wanted)
    return fail(ec::snapshot_corrupt,
                "the archive's vmstate is not what was sealed");
  return {};
}

status unpack_to(archive_reader& archive, paced_file& file) {
  auto done =
    archive.read([&file](uint64_t at, std::span<const uint8_t> bytes) {
      return file.write(bytes, at);
    });
  if (done)
    done = file.sync();
  return done;
}

/// Goes to a file whose size is known.
expected<archive_header> exactly(archive_reader& archive,
                                 const std::string& name, uint64_t bytes) {
  auto header = archive.next(name, bytes);
  if (header && header->bytes != bytes)
    return fail(ec::snapshot_corrupt, "the archive's " + name + " has "
                                        + std::to_string(header->bytes)
                                        + " bytes; its manifest says "
                                        + std::to_string(bytes));
  return header;
}

/// How a layer's file is called in an archive, as in its directory.
std::string layer_member(const std::string& disk, std::size_t index) {
  const auto path = layer_path("", disk, index);
  return path.substr(path.find_last_of('/') + 1);
}

status write_layer(archive_writer& archive, const std::string& path,
                   const archive_member& member, const pace& how) {
  const auto fd = open_file(path, O_RDONLY);
  if (!fd)
    return tl::unexpected<failure>(fd.error());
  auto done = archive.begin(member);
  std::vector<uint8_t> piece(export_piece_bytes);
  for (uint64_t at = 0; done && at < member.bytes; at += piece.size()) {
    piece.resize(std::min<uint64_t>(piece.size(), member.bytes - at));
    done = how.wait();
    if (done)
      done = read_at(fd->get(), piece, at, path);
    if (done)
      done = archive.add(piece);
  }
  return done;
}

status unpack_layer(archive_reader& archive, const std::string& name,
                    const sealed_layer& wanted, uint64_t disk_bytes,
                    const import_target& target) {
  const auto& directory = target.area.directory;
  const auto header = exactly(archive, name, wanted.bytes);
  if (!header)
    return tl::unexpected<failure>(header.error());
  auto done = no_room_for(directory, header->data_bytes, target.file_system);
  const auto path = directory + "/" + name;
  const auto fd = done ? open_file(path, O_RDWR | O_CREAT | O_EXCL)
                       : tl::unexpected<failure>(done.error());
  if (!fd)
    return tl::unexpected<failure>(fd.error());
  paced_file file{fd->get(), path, target.how, target.debt};
  done = resize_file(fd->get(), wanted.bytes, path);
  if (done)
    done = unpack_to(archive, file);
  const auto found = done ? hash_layer(path, target.how.stop)
                          : tl::unexpected<failure>(done.error());
  if (!found)
    return tl::unexpected<failure>(found.error());
  if (*found != wanted)
    return fail(ec::snapshot_corrupt,
                "the archive's " + name + " is not what was sealed");
  return check_layer(path, disk_bytes, true);
}

status unpack_layers(archive_reader& archive,
                     const std::vector<sealed_disk>& disks,
                     const import_target& target) {
  status done;
  for (const auto& disk : disks)
    for (std::size_t i = 0; done && i < disk.layers.size(); ++i)
      done = unpack_layer(archive, layer_member(disk.name, i), disk.layers[i],
                          disk.bytes, target);
  return done;
}

} // namespace

status write_layers(archive_writer& archive, const std::string& directory,
                    const std::vector<sealed_disk>& disks, int64_t seconds,
                    const pace& how) {
  status done;
  for (const auto& disk : disks)
    for (std::size_t i = 0; done && i < disk.layers.size(); ++i)
      done = write_layer(archive, layer_path(directory, disk.name, i),
                         {.name = layer_member(disk.name, i),
                          .bytes = disk.layers[i].bytes,
                          .seconds = seconds},
                         how);
  return done;
}

expected<image_survey> survey(const memory_image& image, const pace& how) {
  image_survey result;
  const auto done = for_each_extent(
    image, how, [&result](uint64_t start, std::span<const uint8_t> bytes) {
      const auto hash = hash_bytes(bytes);
      if (!hash)
        return status{tl::unexpected<failure>(hash.error())};
      result.extents.push_back(*hash);
      for (uint64_t at = 0; at < bytes.size(); at += export_piece_bytes) {
        const auto size = std::min(export_piece_bytes, bytes.size() - at);
        // The first piece always counts: a file without any data is not one
        // that all programs know.
        if (start + at == 0 || !is_zero(bytes.subspan(at, size)))
          add_range(result.data, {start + at, start + at + size});
      }
      return status{};
    });
  if (!done)
    return tl::unexpected<failure>(done.error());
  return result;
}

status write_image(archive_writer& archive, const memory_image& image,
                   const image_survey& known, int64_t seconds,
                   const pace& how) {
  auto done = archive.begin({.name = memory_file,
                             .bytes = image.bytes(),
                             .seconds = seconds,
                             .data = known.data});
  if (done)
    done = for_each_extent(
      image, how, [&archive](uint64_t, std::span<const uint8_t> bytes) {
        return archive.add(bytes);
      });
  return done;
}

status unpack_files(archive_reader& archive, const snapshot_manifest& manifest,
                    const std::vector<sha256>& extents,
                    const import_target& target) {
  const auto& directory = target.area.directory;
  const auto vmstate_path = directory + "/" + vmstate_file;
  const auto memory_path = directory + "/" + memory_file;
  const int vmstate_fd = target.area.vmstate.get();
  const int memory_fd = target.area.memory_fd.get();
  if (const auto found = exactly(archive, vmstate_file, manifest.vmstate_bytes);
      !found)
    return tl::unexpected<failure>(found.error());
  auto done =
    no_room_for(directory, manifest.vmstate_bytes, target.file_system);
  paced_file vmstate{vmstate_fd, vmstate_path, target.how, target.debt};
  if (done)
    done = resize_file(vmstate_fd, manifest.vmstate_bytes, vmstate_path);
  if (done)
    done = unpack_to(archive, vmstate);
  if (!done)
    return done;
  const auto header = exactly(archive, memory_file, manifest.memory_bytes);
  if (!header)
    return tl::unexpected<failure>(header.error());
  done = no_room_for(directory, header->data_bytes, target.file_system);
  paced_file memory{memory_fd, memory_path, target.how, target.debt};
  if (done)
    done = unpack_to(archive, memory);
  if (done)
    done = unpack_layers(archive, manifest.disks, target);
  if (done)
    done = check_vmstate_of({.fd = vmstate_fd,
                             .path = vmstate_path,
                             .bytes = manifest.vmstate_bytes,
                             .stop = target.how.stop},
                            manifest.vmstate_hash);
  if (done)
    done = check_extents_of({.fd = memory_fd,
                             .path = memory_path,
                             .bytes = manifest.memory_bytes,
                             .stop = target.how.stop},
                            extents);
  return done;
}

} // namespace forkfleet
