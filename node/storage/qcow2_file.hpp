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

/// What one entry of such an image's tables stands for.
inline constexpr uint64_t qcow2_cluster_bytes = 64u << 10;

/// Marks in `written`, which has a bit for each cluster of the disk, those
/// that the layer at `path` says something of: data, or that there are zeros.
/// snapshot_corrupt when its tables point out of the file.
status mark_written(const std::string& path, std::vector<bool>& written);

} // namespace forkfleet
