// SPDX-License-Identifier: Apache-2.0
#include "node/limits/descriptor_admission.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace forkfleet {

namespace {

constexpr uint64_t reserve_max = 128;
constexpr uint64_t reserve_part = 4;

/// What is spoken for, before another VM.
uint64_t taken(const descriptor_sample& now, uint64_t starting) {
  return now.open + descriptor_reserve(now.max) + starting * descriptors_per_vm;
}

} // namespace

uint64_t descriptor_reserve(uint64_t max) {
  return std::min(reserve_max, max / reserve_part);
}

uint64_t descriptor_room(const descriptor_sample& now, uint64_t starting) {
  const auto used = taken(now, starting);
  return now.is_known && used < now.max ? (now.max - used) / descriptors_per_vm
                                        : 0;
}

status admit_descriptors(const descriptor_sample& now, uint64_t starting) {
  if (!now.is_known)
    return fail(ec::host_full,
                fmt::format("the node may have {} file descriptors and cannot "
                            "count those that are open: none is left; stop "
                            "some VMs, or raise the hard limit of the node "
                            "(ulimit -Hn, LimitNOFILE)",
                            now.max));
  const auto needed = taken(now, starting) + descriptors_per_vm;
  if (needed <= now.max)
    return {};
  return fail(
    ec::host_full,
    fmt::format("{} file descriptors are missing: the node may have {}, {} are "
                "open, {} are kept for branches and its journal, {} are for "
                "VMs that start now, and a VM takes {}; stop some VMs, or "
                "raise the hard limit of the node (ulimit -Hn, LimitNOFILE)",
                needed - now.max, now.max, now.open,
                descriptor_reserve(now.max), starting * descriptors_per_vm,
                descriptors_per_vm));
}

} // namespace forkfleet
