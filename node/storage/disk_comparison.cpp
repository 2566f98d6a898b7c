// SPDX-License-Identifier: Apache-2.0
#include "node/storage/disk_comparison.hpp"

#include <algorithm>

#include "node/storage/qcow2_file.hpp"
#include "node/storage/sealed_disks.hpp"

namespace forkfleet {

namespace {

const sealed_disk* find_named(const compared_disks& x,
                              const std::string& name) {
  const auto found = std::ranges::find(x.disks, name, &sealed_disk::name);
  return found == x.disks.end() ? nullptr : &*found;
}

/// How many layers both have, from the lowest on.
std::size_t common_layers(const sealed_disk& a, const sealed_disk* b) {
  if (b == nullptr)
    return 0;
  const auto ends = std::ranges::mismatch(a.layers, b->layers);
  return static_cast<std::size_t>(ends.in1 - a.layers.begin());
}

status mark_layers(const std::string& directory, const sealed_disk& disk,
                   std::size_t first, std::vector<bool>& written,
                   const stop_asked& stop) {
  status done;
  for (auto i = first; done && i < disk.layers.size(); ++i) {
    if (stop && stop())
      return fail(ec::interrupted, directory + ": while it was compared");
    done = mark_written(layer_path(directory, disk.name, i), written);
  }
  return done;
}

expected<uint64_t> compare_disk(const compared_disks& a, const sealed_disk& x,
                                const compared_disks& b, const sealed_disk* y,
                                const stop_asked& stop) {
  const auto bytes = std::max(x.bytes, y == nullptr ? 0 : y->bytes);
  std::vector<bool> written((bytes + qcow2_cluster_bytes - 1)
                            / qcow2_cluster_bytes);
  const auto common = common_layers(x, y);
  auto done = mark_layers(a.directory, x, common, written, stop);
  if (done && y != nullptr)
    done = mark_layers(b.directory, *y, common, written, stop);
  if (!done)
    return tl::unexpected<failure>(done.error());
  return static_cast<uint64_t>(std::ranges::count(written, true))
         * qcow2_cluster_bytes;
}

} // namespace

expected<uint64_t> compare_disks(const compared_disks& a,
                                 const compared_disks& b,
                                 const stop_asked& stop) {
  uint64_t sum = 0;
  for (const auto& x : a.disks) {
    const auto one = compare_disk(a, x, b, find_named(b, x.name), stop);
    if (!one)
      return one;
    sum += *one;
  }
  for (const auto& y : b.disks) {
    if (find_named(a, y.name) != nullptr)
      continue;
    const auto one = compare_disk(b, y, a, nullptr, stop);
    if (!one)
      return one;
    sum += *one;
  }
  return sum;
}

} // namespace forkfleet
