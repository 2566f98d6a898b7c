// SPDX-License-Identifier: Apache-2.0
// The files that an image of a disk consists of: the image, what its header
// says that it lies over, and so on, and where their data lies apart. QEMU is
// told each of them, and opens none by a name that it finds in a file.
#pragma once

#include <string>
#include <vector>

#include "config/fleet_file.hpp"

namespace forkfleet::qemu {

/// One image of a chain.
struct image_file {
  std::string path = {};
  std::string format = {}; // raw or qcow2
  std::string data = {};   // the file that holds its data; empty: itself

  friend bool operator==(const image_file&, const image_file&) = default;
};

/// The most images of a chain.
inline constexpr std::size_t image_chain_max = 32;

/// The image of `disk` first, then what it lies over. invalid_request names a
/// file that is none, is no regular file, or lies over what is no plain file
/// of a known format.
expected<std::vector<image_file>> image_chain(const config::disk_section& disk);

/// The paths of all of a chain's files, in order.
std::vector<std::string> files_of(const std::vector<image_file>& chain);

} // namespace forkfleet::qemu
