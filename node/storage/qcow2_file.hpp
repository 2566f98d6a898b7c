// SPDX-License-Identifier: Apache-2.0
// As much of the qcow2 format as disk layers need: an empty image, the size of
// one, and which clusters one holds. A layer's header names no backing file;
// who opens it says what it lies over. Knows no CAF.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "actors/error.hpp"

namespace forkfleet {

/// The largest disk that a layer can be made for.
inline constexpr uint64_t qcow2_bytes_max = 16ull << 40;

/// The metadata of an empty qcow2 image of so many bytes, a multiple of 512
/// up to the most. The file is these bytes.
std::vector<uint8_t> empty_qcow2(uint64_t bytes);

/// Makes such a file; `path` must be free. After an error nothing is left.
status make_qcow2(const std::string& path, uint64_t bytes);

/// What a guest sees of the qcow2 image that begins with `header`.
/// invalid_request names `path` when it is none that we could lie over.
expected<uint64_t> qcow2_bytes(std::span<const uint8_t> header,
                               const std::string& path);

/// What a qcow2 header says that matters to who opens the image.
struct qcow2_header {
  uint64_t bytes = 0;   // what a guest sees
  uint64_t version = 0; // 2 or 3
  uint64_t cluster_bits = 0;
  uint64_t incompatible = 0; // feature bits that a reader must know
  uint64_t snapshots = 0;    // inside of it
  bool is_encrypted = false;
  std::string backing = {};        // the name of what it lies over
  std::string backing_format = {}; // as the header tells it
  std::string data_file = {};      // the name of where its data lies
};

/// As much of a file as a header takes.
inline constexpr std::size_t qcow2_header_max = 64u << 10;

/// The header that `begin`, up to `qcow2_header_max` of the file, begins with.
/// invalid_request names `path` when it is none, or points out of itself.
expected<qcow2_header> read_header(std::span<const uint8_t> begin,
                                   const std::string& path);

/// Same, of a file.
expected<qcow2_header> read_header_of(const std::string& path);

/// The layer at `path` is one that a VM may open as a layer of a disk of so
/// many bytes: of that size, and all its data in itself. Who opens it says
/// what it lies over; one of a stranger may not even name something.
/// snapshot_corrupt names what is not so.
status check_layer(const std::string& path, uint64_t disk_bytes,
                   bool is_foreign);

/// What one entry of such an image's tables stands for.
inline constexpr uint64_t qcow2_cluster_bytes = 64u << 10;

/// Marks in `written`, which has a bit for each cluster of the disk, those
/// that the layer at `path` says something of: data, or that there are zeros.
/// snapshot_corrupt when its tables point out of the file.
status mark_written(const std::string& path, std::vector<bool>& written);

} // namespace forkfleet
