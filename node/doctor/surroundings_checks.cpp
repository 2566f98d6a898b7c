// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include <fmt/format.h>

#include "node/doctor/checks.hpp"
#include "node/limits/sandbox_cgroups.hpp"
#include "node/network/nf_tables.hpp"
#include "node/network/sandbox_networks.hpp"

namespace forkfleet::doctor {

namespace {

host_check check_cgroups(const examination& what) {
  const auto text =
    sandbox_cgroups{what.cgroup, what.data, config::enforcement::best_effort}
      .describe();
  const auto found = words_in(text);
  std::string missing;
  for (const auto* controller : {"memory", "cpu", "pids", "io"})
    if (std::ranges::count(found, controller) == 0)
      missing += (missing.empty() ? "" : " ") + std::string{controller};
  if (missing.empty())
    return ok("cgroups", "limits of VMs can be enforced: " + text);
  return warn(
    "cgroups",
    fmt::format("limits of VMs: {}; not to be had: {}", text, missing),
    "mount cgroup v2 with all controllers, and give hosts[].cgroup a "
    "directory of the node's own");
}

host_check check_nf_tables() {
  const auto found = find_nf_tables();
  if (found)
    return ok("nf_tables", "the kernel has it");
  if (found.error().code == ec::not_permitted)
    return warn("nf_tables", "not known: " + found.error().message,
                "run the node as root");
  return bad("nf_tables", found.error().message,
             "load the module nf_tables, or use a kernel that has it; without "
             "it sandboxes get no network namespaces, and all else works");
}

host_check check_namespaces() {
  const auto why = isolation_obstacle();
  if (why.empty())
    return ok("namespaces", "sandboxes can have networks of their own");
  return warn("namespaces",
              "sandboxes can have no network namespaces, only QEMU's user "
              "network: "
                + why,
              "run the node as root, on a kernel with nf_tables and tun");
}

} // namespace

checks check_surroundings(const examination& what) {
  return {check_cgroups(what), check_nf_tables(), check_namespaces()};
}

} // namespace forkfleet::doctor
