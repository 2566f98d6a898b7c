// SPDX-License-Identifier: Apache-2.0
// What the preload library is told to map over a child's base image. Pure.
#pragma once

#include <string>

#include "actors/error.hpp"
#include "node/memory_image.hpp"

namespace forkfleet::qemu {

/// The file's name in a VM's directory.
inline constexpr const char* overlay_file = "overlay";

/// The text that node/preload/overlay.hpp describes: all segments but those
/// that the base, which is the layout's first file, has in their place.
/// unsupported for a layout that the library would refuse.
expected<std::string> overlay_text(const memory_layout& layout);

} // namespace forkfleet::qemu
