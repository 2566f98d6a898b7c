// SPDX-License-Identifier: Apache-2.0
// What the fleet file allows children to use of their host. A snapshot that
// was not sealed here is a stranger's word: of the files that it speaks of,
// its children get those that are named here and have the same content, and
// no other. Knows no CAF.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "config/fleet_file.hpp"

namespace forkfleet {

struct host_images {
  /// Absolute paths of kernels, initial RAM disks and disks.
  std::vector<std::string> files = {};
  /// The `qemu_arguments` of each sandbox that has some.
  std::vector<std::vector<std::string>> arguments = {};
};

using host_images_ptr = std::shared_ptr<const host_images>;

/// What the fleet file of this host names: in its `images` and in all of its
/// sandboxes, for those move from host to host.
inline host_images images_of(const config::fleet_file& fleet,
                             const host_name& host) {
  host_images result;
  const auto add = [&result](const std::string& path) {
    if (!path.empty())
      result.files.push_back(path);
  };
  for (const auto& x : fleet.hosts)
    if (x.name == host)
      for (const auto& path : x.images)
        add(path);
  for (const auto& x : fleet.sandboxes) {
    add(x.kernel);
    add(x.initrd);
    for (const auto& disk : x.disks)
      add(disk.path);
    if (!x.qemu_arguments.empty())
      result.arguments.push_back(x.qemu_arguments);
  }
  return result;
}

} // namespace forkfleet
