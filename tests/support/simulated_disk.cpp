// SPDX-License-Identifier: Apache-2.0
#include "tests/support/simulated_disk.hpp"

#include "node/simulated/guest.hpp"

namespace forkfleet::test {

uint64_t simulated_disk::used_bytes() const {
  uint64_t result = 0;
  for (const auto& [tag, snapshot] : sealed)
    result += snapshot.files.stored;
  for (const auto& [operation, files] : staged)
    result += files.stored;
  return result;
}

void simulated_disk::lose_power() {
  staged.clear();
}

expected<page_places> simulated_disk::places_of(const disk_files& files) const {
  if (files.form != memory_form::diff)
    return places_in(files.memory, files.bytes);
  const auto base = sealed.find(files.base);
  if (base == sealed.end())
    return fail(ec::snapshot_corrupt, files.tag.value + ": its base "
                                        + files.base.value + " is not there");
  if (base->second.info.root_hash != files.base_hash)
    return fail(ec::snapshot_corrupt, files.tag.value + ": its base "
                                        + files.base.value + " is another one");
  auto below = places_of(base->second.files);
  if (!below)
    return below;
  return overlay(std::move(*below), files.changed);
}

status simulated_disk::check_whole(const disk_files& files) const {
  const auto places = places_of(files);
  if (!places)
    return tl::unexpected{places.error()};
  const auto flat = flatten(*places);
  const auto guest = read_guest(path_of(flat), path_of(files.vmstate));
  if (!guest)
    return tl::unexpected{guest.error()};
  return {};
}

file_ptr simulated_disk::flat_of(const disk_files& files) const {
  if (files.form != memory_form::diff)
    return files.memory;
  return flat_of(sealed.at(files.base).files);
}

uint64_t simulated_disk::depth_of(const disk_files& files) const {
  if (files.form != memory_form::diff)
    return 0;
  const auto base = sealed.find(files.base);
  return base == sealed.end() ? 1 : 1 + depth_of(base->second.files);
}

} // namespace forkfleet::test
