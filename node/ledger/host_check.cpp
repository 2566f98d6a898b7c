// SPDX-License-Identifier: Apache-2.0
#include "node/ledger/host_check.hpp"

#include <chrono>

#include "node/storage/disk_snapshot_store.hpp"
#include "node/storage/file.hpp"

namespace forkfleet {

fsck_report check_host(const check_plan& plan) {
  const auto begun = std::chrono::steady_clock::now();
  auto report = fsck_report{};
  const auto things = look_at_host(plan.look);
  if (things) {
    auto ledger = make_ledger(*things, plan.owners,
                              {.now = plan.now, .young = plan.request.young});
    if (plan.request.repair)
      repair_host(ledger, plan.may);
    report = report_of(ledger, plan.request.all);
  } else {
    report.outcome = things.error();
  }
  report.host = plan.request.host;
  report.elapsed = std::chrono::duration_cast<microseconds>(
    std::chrono::steady_clock::now() - begun);
  return report;
}

expected<fsck_report> check_data(const look_plan& look,
                                 const fsck_request& request,
                                 microseconds now) {
  if (!path_exists(look.data + "/incarnation"))
    return fail(ec::invalid_request,
                look.data
                  + " is no node's data directory: it has no "
                    "incarnation file");
  const auto data = data_directory::open(look.data);
  if (!data)
    return tl::unexpected<failure>(data.error());
  auto plan = check_plan{};
  plan.look = look;
  plan.now = now;
  plan.request = request;
  {
    const auto store = disk_snapshot_store::open_in(*data, request.host);
    if (!store)
      return tl::unexpected<failure>(store.error());
    for (const auto& info : (*store)->list())
      plan.owners.snapshots.insert(info.tag.value);
  }
  return check_host(plan);
}

} // namespace forkfleet
