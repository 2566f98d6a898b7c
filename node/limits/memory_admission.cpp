// SPDX-License-Identifier: Apache-2.0
#include "node/limits/memory_admission.hpp"

#include <algorithm>
#include <limits>

#include <fmt/format.h>

namespace forkfleet {

namespace {

constexpr auto most = std::numeric_limits<uint64_t>::max();

uint64_t sum(uint64_t x, uint64_t y) {
  return x > most - y ? most : x + y;
}

uint64_t part(uint64_t x, uint64_t percent) {
  const auto whole = x / 100;
  if (percent != 0 && whole > most / percent)
    return most;
  return sum(whole * percent, x % 100 * percent / 100);
}

std::string mebibytes(uint64_t x) {
  return fmt::format("{} MiB", x >> 20);
}

} // namespace

uint64_t promise_of(const memory_claim& x,
                    const config::limits_section& policy) {
  const auto guest =
    x.is_child ? part(x.guest_bytes, policy.child_growth) : x.guest_bytes;
  const auto all = sum(guest, vmm_overhead_bytes);
  return x.limit_bytes == 0 ? all : std::min(all, x.limit_bytes);
}

uint64_t promised_to(const std::vector<memory_claim>& claims,
                     const config::limits_section& policy) {
  uint64_t result = 0;
  for (const auto& x : claims) {
    const auto all = promise_of(x, policy);
    result = sum(result, all > x.own_bytes ? all - x.own_bytes : 0);
  }
  return result;
}

status admit_memory(const memory_claim& asked,
                    const std::vector<memory_claim>& claims, uint64_t available,
                    const config::limits_section& policy) {
  if (policy.memory_overcommit == 0)
    return {};
  const auto reserve = policy.memory_reserve.value;
  const auto room = available > reserve ? available - reserve : 0;
  const auto may = part(room, policy.memory_overcommit);
  const auto promised = promised_to(claims, policy);
  const auto wanted = promise_of(asked, policy);
  if (sum(promised, wanted) <= may)
    return {};
  return fail(
    ec::host_full,
    fmt::format("the VM is to be promised {}, the host can give {}, {} of that "
                "is kept, and {} is promised to {} VMs; stop some, or change "
                "limits in the fleet file: child_growth is {} %, "
                "memory_overcommit {} %",
                mebibytes(wanted), mebibytes(available), mebibytes(reserve),
                mebibytes(promised), claims.size(), policy.child_growth,
                policy.memory_overcommit));
}

} // namespace forkfleet
