// SPDX-License-Identifier: Apache-2.0
#include "node/branch_cleanup.hpp"

#include <utility>

namespace forkfleet {

namespace {

/// The snapshot that this very operation sealed; without a tag: none.
snapshot_info find_sealed(snapshot_store& store, const branch_report& report) {
  for (auto& info : store.list())
    if (info.tag == report.tag && info.operation == report.operation)
      return std::move(info);
  return {};
}

/// None when it runs; vmm_gone when there is none any more.
failure resume_guest(vmm& guest, deadline_point until) {
  const auto resumed = guest.resume(until);
  if (resumed)
    return {};
  if (resumed.error().code == ec::vmm_gone)
    return resumed.error();
  return {ec::guest_stuck, to_string(resumed.error())};
}

} // namespace

branch_report report_of_failed(const branch_context& context,
                               const branch_request& request, failure why) {
  return {.operation = request.operation,
          .sandbox = request.sandbox,
          .tag = request.tag,
          .host = context.host,
          .outcome = std::move(why),
          .mode = request.mode};
}

void clean_up_branch(const branch_context& context, guest_after guest,
                     deadline_point until, branch_result& result) {
  auto& report = result.report;
  const auto trouble = guest == guest_after::may_stand
                         ? resume_guest(*context.vmm, until)
                         : failure{};
  context.vmm->abandon();
  result.snapshot = find_sealed(*context.store, report);
  if (result.snapshot.tag.empty()) {
    context.store->discard(report.operation);
  } else {
    report.outcome = {};
    report.root_hash = result.snapshot.root_hash;
  }
  // A guest that stands outranks all. One that has ended says why the branch
  // failed, but does not undo a snapshot.
  if (trouble.code == ec::guest_stuck || (trouble && report.outcome))
    report.outcome = trouble;
}

} // namespace forkfleet
