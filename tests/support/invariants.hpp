// SPDX-License-Identifier: Apache-2.0
// What must hold in a fleet whatever goes wrong. Each check says what does
// not hold; empty when all does.
#pragma once

#include <map>
#include <string>

#include "tests/support/simulated_fleet.hpp"

namespace forkfleet::test {

/// What a check says when nothing is wrong.
inline const std::string all_holds{};

/// Between any two messages: no guest stands still while its node lives, no
/// host runs more branches than it has slots, those of one source run in
/// order, changes count from sealed snapshots only, and what disks found.
std::string check_moment(simulated_fleet& fleet);

/// Every snapshot and child in the lineage has its parent there.
std::string check_lineage(simulated_fleet& fleet);

/// A report by itself: its stages are in order and fit into its total.
std::string check_report(const branch_report& report);

/// Every visible snapshot is whole, nothing is staged, and each operation in
/// a journal has ended.
std::string check_disks(const simulated_fleet& fleet);

/// The endings that clients were told. An operation has one.
class endings {
public:
  /// Takes an ending; says so when it contradicts an earlier one.
  std::string add(const branch_report& report);
  const std::map<operation_id, branch_report>& all() const { return all_; }

private:
  std::map<operation_id, branch_report> all_;
};

} // namespace forkfleet::test
