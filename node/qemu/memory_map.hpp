// SPDX-License-Identifier: Apache-2.0
// Where guest memory lies in a QEMU process, read out of its list of
// mappings. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "actors/error.hpp"
#include "node/memory_image.hpp"

namespace forkfleet::qemu {

/// One mapping of a process.
struct mapping {
  uint64_t begin = 0;
  uint64_t end = 0;
  bool is_writable = false;
  bool is_private = false;
  uint64_t offset = 0;   // in its file
  std::string path = {}; // empty: anonymous
};

/// Where the pages of a memory come from that its process did not write.
enum class memory_kind : uint8_t {
  /// They are zeros, and nobody else can write them: a page that the process
  /// does not have of its own is not there.
  private_anonymous,
  /// Some show a file, whose own changes show as well.
  private_file,
  /// Some are others' as well, or it is not known whose they are.
  shared,
};

/// The mappings in the text of /proc/PID/maps, in its order.
std::vector<mapping> read_mappings(const std::string& maps);

/// Every address at which a memory of exactly `bytes` may begin: that of a
/// writable mapping of that size, with `path` of that file.
std::vector<uint64_t> find_memory(const std::vector<mapping>& mappings,
                                  uint64_t bytes, const std::string& path);

/// Whether the memory at `begin` is mapped, writable and without a gap.
bool is_mapped(const std::vector<mapping>& mappings, uint64_t begin,
               uint64_t bytes);

/// What that memory is made of; `shared` unless all of it is proved to be
/// less.
memory_kind kind_of_memory(const std::vector<mapping>& mappings, uint64_t begin,
                           uint64_t bytes);

/// The address at which memory is mapped as the layout says, page for page.
/// snapshot_corrupt names the first place that is not: such a child must not
/// run.
expected<uint64_t> find_layout(const std::vector<mapping>& mappings,
                               const memory_layout& layout);

} // namespace forkfleet::qemu
