// SPDX-License-Identifier: Apache-2.0
// fsck of one host: looks, judges, and repairs if asked. Knows no CAF.
#pragma once

#include "node/ledger/host_look.hpp"
#include "node/ledger/host_repair.hpp"
#include "node/storage/disk_snapshot_store.hpp"

namespace forkfleet {

/// What to check, and who owned what before the look.
struct check_plan {
  look_plan look = {};
  ledger_owners owners = {};
  microseconds now{0}; // of the owners, in Unix time
  fsck_request request = {};
  may_remove may = {};
};

/// Looks at the host of a node that works, and judges: `owners` are those that
/// the node told at `times.now`, to which the store's are added.
expected<host_ledger> judge_host(const look_plan& look,
                                 disk_snapshot_store& store,
                                 ledger_owners owners,
                                 const ledger_times& times);

/// Repairs it; what came into the store's use meanwhile stays.
void repair_host(host_ledger& ledger, disk_snapshot_store& store);

/// Never fails half-way: what could not be looked at is the outcome.
fsck_report check_host(const check_plan& plan);

/// The owners and the report of a data directory without a node; takes its
/// lock for as long. not_permitted when a node has it; invalid_request when
/// there is none.
expected<fsck_report> check_data(const look_plan& look,
                                 const fsck_request& request, microseconds now);

} // namespace forkfleet
