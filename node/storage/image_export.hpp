// SPDX-License-Identifier: Apache-2.0
// The memory and the disks of a snapshot on their way into an archive, and out
// of one. Knows no CAF.
#pragma once

#include <vector>

#include "node/storage/archive_reader.hpp"
#include "node/storage/archive_writer.hpp"
#include "node/storage/hash.hpp"
#include "node/storage/paced_file.hpp"
#include "node/storage/staging.hpp"

namespace forkfleet {

/// What is known of an image after it was read once.
struct image_survey {
  std::vector<sha256> extents = {};
  std::vector<memory_range> data = {}; // without long runs of zeros
};

/// Reads all of it. interrupted when the pace says so.
expected<image_survey> survey(const memory_image& image, const pace& how);

/// Writes it as memory.bin; `known` comes from a survey of the same image.
status write_image(archive_writer& archive, const memory_image& image,
                   const image_survey& known, int64_t seconds, const pace& how);

/// Writes the layers of all disks, each as a file of its own.
status write_layers(archive_writer& archive, const std::string& directory,
                    const std::vector<sealed_disk>& disks, int64_t seconds,
                    const pace& how);

/// What an archive's files are put into.
struct import_target {
  disk_staging_area& area;
  std::string file_system = {};
  pace how = {};
  std::shared_ptr<write_debt> debt = {};
};

/// Unpacks vmstate, memory.bin and the disks' layers into the staging, syncs
/// them and compares them with their hashes. disk_full before a file is
/// written that has no room; what differs is snapshot_corrupt.
status unpack_files(archive_reader& archive, const snapshot_manifest& manifest,
                    const std::vector<sha256>& extents,
                    const import_target& target);

} // namespace forkfleet
