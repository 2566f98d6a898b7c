// SPDX-License-Identifier: Apache-2.0
// A snapshot's memory in files, as a driver gets it for a child.
#pragma once

#include <string>

#include "node/memory_image.hpp"

namespace forkfleet::test {

/// All of it in one file.
memory_layout write_flat(const memory_image& memory, const std::string& path);

/// In two files and many segments, as a chain is.
memory_layout write_chain(const memory_image& memory, const std::string& path);

} // namespace forkfleet::test
