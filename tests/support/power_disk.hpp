// SPDX-License-Identifier: Apache-2.0
// A file system on a loop device over a file in memory, of which moments are
// kept: what the device held then is what a power failure would have left.
// Nothing is synced for that.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "actors/error.hpp"
#include "tests/support/scratch.hpp"

namespace forkfleet::test {

/// The moments of one disk. Needs root and loop devices.
class power_disk {
public:
  /// A fresh, mounted file system. not_permitted where this machine does not
  /// let us.
  static expected<std::unique_ptr<power_disk>> make(disk_kind kind);
  ~power_disk();
  power_disk(const power_disk&) = delete;

  /// Where it is mounted, until `end`.
  std::string path() const { return home_.path() + "/disk"; }

  /// Keeps what the device holds now; false when that is what it held at the
  /// moment before, which then stands for both.
  bool keep_moment();
  std::size_t moments() const { return changes_.size(); }

  /// No more moments; unmounts.
  status end();

  /// Mounts what the device held at that moment, as after a power failure,
  /// and calls `look` with the path. Only after `end`; moments in order.
  status with_moment(std::size_t moment,
                     const std::function<void(const std::string&)>& look);

private:
  /// What a block of the device holds from a moment on.
  struct block_change {
    uint64_t block = 0;
    std::vector<uint8_t> bytes = {};
  };

  explicit power_disk(disk_kind kind) : kind_{kind} {}
  status format();
  status mount(const std::string& image);
  status unmount();
  status roll_to(std::size_t moment);
  std::vector<block_change> changes_since_last();

  const disk_kind kind_;
  scratch_directory home_ = {};
  bool is_mounted_ = false;
  std::vector<uint8_t> last_ = {}; // the device at the newest moment
  std::vector<bool> held_ = {};    // its blocks that were no holes then
  std::vector<std::vector<block_change>> changes_ = {}; // one per moment
  std::size_t rolled_ = 0; // moments that are applied to the file `past`
};

} // namespace forkfleet::test
