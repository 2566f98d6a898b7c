// SPDX-License-Identifier: Apache-2.0
#include "examples/numbered_image.hpp"

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <vector>

namespace forkfleet::guest {

namespace {

constexpr uint64_t block_bytes = 4096;

} // namespace

status make_numbered_image(const std::string& path, uint64_t bytes) {
  auto file = std::ofstream{path, std::ios::binary | std::ios::trunc};
  auto block = std::vector<uint64_t>(block_bytes / sizeof(uint64_t));
  for (uint64_t number = 0; number < bytes / block_bytes; ++number) {
    std::ranges::fill(block, number);
    file.write(reinterpret_cast<const char*>(block.data()), block_bytes);
  }
  file.close();
  return file ? status{} : tl::unexpected(errno_failure(errno, path));
}

} // namespace forkfleet::guest
