// SPDX-License-Identifier: Apache-2.0
#include "node/ledger/host_repair.hpp"

#include <chrono>

#include "node/limits/sandbox_cgroups.hpp"
#include "node/network/sandbox_networks.hpp"
#include "node/storage/file.hpp"

namespace forkfleet {

namespace {

constexpr auto term_patience = std::chrono::milliseconds{500};
constexpr auto end_limit = std::chrono::seconds{5};

std::string end_orphan(const ledger_thing& x) {
  const auto process = qemu::find_process(x.process);
  if (process.has_ended())
    return "is gone";
  if (!process.runs())
    return "left: " + to_string(process.error());
  const auto ended =
    qemu::end_process(process.pidfd(), term_patience,
                      std::chrono::steady_clock::now() + end_limit);
  return ended ? "removed" : "left: " + to_string(ended.error());
}

std::string remove_orphan(const ledger_thing& x) {
  if (x.kind == ledger_kind::network) {
    const auto gone = remove_network_thing(x.where, x.identity);
    return gone ? "removed" : "left: " + to_string(gone.error());
  }
  const auto now = identify(x.where);
  if (!now)
    return "left: " + to_string(now.error());
  if (!*now)
    return "is gone";
  if (**now != x.identity)
    return "left: another one took its place";
  if (x.kind == ledger_kind::cgroup) {
    const auto gone =
      remove_cgroup(x.where, {}, std::chrono::steady_clock::now() + end_limit);
    return gone ? "removed" : "left: " + to_string(gone.error());
  }
  const auto slash = x.where.rfind('/');
  const auto gone =
    remove_tree(x.where.substr(0, slash), x.where.substr(slash + 1));
  return gone ? "removed" : "left: " + to_string(gone.error());
}

} // namespace

void repair_host(host_ledger& ledger, const may_remove& may) {
  for (const bool processes : {true, false})
    for (auto& [thing, item] : ledger) {
      const bool is_process = thing.kind == ledger_kind::process;
      if (item.state != ledger_state::orphan || is_process != processes)
        continue;
      if (may && !may(thing))
        item.repair = "left: it is in use by now";
      else
        item.repair = is_process ? end_orphan(thing) : remove_orphan(thing);
    }
}

} // namespace forkfleet
