// SPDX-License-Identifier: Apache-2.0
#include "node/ledger/host_check.hpp"

#include <chrono>
#include <set>

#include "node/storage/disk_snapshot_store.hpp"
#include "node/storage/file.hpp"

namespace forkfleet {

namespace {

std::set<std::string> listed_tags(disk_snapshot_store& store) {
  std::set<std::string> result;
  for (const auto& info : store.list())
    result.insert(info.tag.value);
  return result;
}

/// A snapshot that was removed during the look is not missing.
void drop_removed(ledger_owners& owners, const std::vector<ledger_thing>& seen,
                  disk_snapshot_store& store) {
  std::set<std::string> there;
  for (const auto& x : seen)
    if (x.kind == ledger_kind::snapshot)
      there.insert(x.name);
  const auto now = listed_tags(store);
  std::erase_if(owners.snapshots, [&](const std::string& tag) {
    return !there.contains(tag) && !now.contains(tag);
  });
}

} // namespace

expected<host_ledger> judge_host(const look_plan& look,
                                 disk_snapshot_store& store,
                                 ledger_owners owners,
                                 const ledger_times& times) {
  // Who owns what is known before anything is looked at.
  const auto hand = store.in_hand();
  owners.staging.insert(hand.staging.begin(), hand.staging.end());
  owners.making = hand.making;
  owners.changing = hand.changing;
  owners.snapshots = listed_tags(store);
  const auto things = look_at_host(look);
  if (!things)
    return tl::unexpected<failure>(things.error());
  drop_removed(owners, *things, store);
  return make_ledger(*things, owners, times);
}

void repair_host(host_ledger& ledger, disk_snapshot_store& store) {
  repair_host(ledger, [&store](const ledger_thing& x) {
    const auto hand = store.in_hand();
    return !hand.staging.contains(x.name) && !hand.making.contains(x.name)
           && !hand.changing.contains(x.name);
  });
}

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
