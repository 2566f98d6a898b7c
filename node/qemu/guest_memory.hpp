// SPDX-License-Identifier: Apache-2.0
// A guest's memory seen from outside: where QEMU maps it, and copies of it.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "node/memory_image.hpp"
#include "node/qemu/memory_map.hpp"
#include "node/qemu/process.hpp"
#include "node/vmm.hpp"

namespace forkfleet::qemu {

/// The mappings of a process. unsupported when they may not be read.
expected<std::vector<mapping>> mappings_of(const process_id& id);

/// The guest's memory in a QEMU process, opened while the guest runs so that
/// nothing has to be opened when it stands.
class guest_memory {
public:
  /// Finds it and tries to read it. `path`: the image that a child maps;
  /// empty for fresh memory. `begin`: its address, where that is known.
  /// unsupported when it cannot be told which mapping it is, or when it may
  /// not be read.
  static expected<guest_memory> open(const process_id& id, uint64_t bytes,
                                     const std::string& path,
                                     uint64_t begin = 0);

  /// Its address in that process.
  uint64_t begin() const { return begin_; }
  uint64_t bytes() const { return bytes_; }

  /// Where what was never written comes from.
  memory_kind kind() const { return kind_; }

  /// Copies each of these parts into the room of the same place, which has its
  /// size. io_failed when they cannot be read.
  status read(std::span<const memory_range> parts,
              std::span<const std::span<uint8_t>> rooms) const;

private:
  guest_memory(pid_t pid, uint64_t begin, uint64_t bytes, memory_kind kind)
    : pid_{pid}, begin_{begin}, bytes_{bytes}, kind_{kind} {}

  status read_one(memory_range part, std::span<uint8_t> target) const;

  pid_t pid_;
  uint64_t begin_;
  uint64_t bytes_;
  memory_kind kind_;
};

} // namespace forkfleet::qemu
