// SPDX-License-Identifier: Apache-2.0
// A guest's memory seen from outside: where QEMU maps it, which pages were
// ever touched, and a copy of them. For guests that stand still.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "actors/unique_fd.hpp"
#include "node/qemu/process.hpp"
#include "node/vmm.hpp"

namespace forkfleet::qemu {

/// One mapping of a process.
struct mapping {
  uint64_t begin = 0;
  uint64_t end = 0;
  std::string path = {}; // empty: anonymous
};

/// The mappings in the text of /proc/PID/maps that can be written and are of
/// exactly `bytes`; with `path`, only those of that file.
std::vector<mapping> find_mappings(const std::string& maps, uint64_t bytes,
                                   const std::string& path);

/// The guest's memory in a QEMU process, opened while the guest runs so that
/// nothing has to be opened when it stands.
class guest_memory {
public:
  /// Finds it and tries to read it. `path`: the image that a child maps;
  /// empty for fresh memory. unsupported when it cannot be told which mapping
  /// it is, or when it may not be read.
  static expected<guest_memory> open(const process_id& id, uint64_t bytes,
                                     const std::string& path);

  /// Copies all that may differ from zero into `target`, which is as large
  /// as the memory, each page at its offset. `touched` is set to what was
  /// copied; reserve it, so that nothing is allocated. deadline_exceeded
  /// when `until` passes.
  status copy(std::span<uint8_t> target, std::vector<memory_range>& touched,
              deadline_point until) const;

  uint64_t bytes() const { return where_.end - where_.begin; }

private:
  guest_memory(pid_t pid, mapping where)
    : pid_{pid}, where_{std::move(where)} {}

  bool scan(std::vector<memory_range>& touched) const;
  status read(memory_range part, std::span<uint8_t> target) const;

  pid_t pid_;
  mapping where_;
  unique_fd page_map_ = {}; // none: all pages are copied
};

} // namespace forkfleet::qemu
