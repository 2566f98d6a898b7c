// SPDX-License-Identifier: Apache-2.0
#include "node/qemu/disk_space.hpp"

#include <algorithm>

#include "node/storage/reservation.hpp"

namespace forkfleet::qemu {

namespace {

// In steps of this: what is told of a disk changes only when that matters.
constexpr uint64_t told_bytes = 1u << 20;

} // namespace

expected<bool> lacks_space(qmp_client& qmp, deadline_point until) {
  const auto asked = qmp.execute("query-block", until);
  if (!asked)
    return tl::unexpected(asked.error());
  return std::any_of(asked->begin(), asked->end(), [](const auto& device) {
    return text_member(device, "io-status") == "nospace";
  });
}

expected<uint64_t> missing_space(const std::string& directory) {
  const auto free = available_bytes(directory);
  if (!free)
    return tl::unexpected(free.error());
  const auto missing = guest_space_bytes - std::min(*free, guest_space_bytes);
  return (missing + told_bytes - 1) / told_bytes * told_bytes;
}

std::string space_text(const std::string& directory, uint64_t missing) {
  return "disk full: " + directory + " lacks " + std::to_string(missing)
         + " bytes; the guest stands, its write is kept, and it goes on by "
           "itself when there is space";
}

} // namespace forkfleet::qemu
