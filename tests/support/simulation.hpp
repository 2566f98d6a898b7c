// SPDX-License-Identifier: Apache-2.0
// One story of a fleet, told by a seed: clients branch and restore while
// programs are killed, links fail and disks fill up; then all is repaired,
// and every operation must have had one ending.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <set>
#include <string>

#include "tests/support/simulated_client.hpp"

namespace forkfleet::test {

/// What happened, for the tests of the simulation itself.
struct story {
  std::string violation = {}; // empty: all held
  uint64_t messages = 0;
  uint64_t ended = 0;   // operations that clients were told the end of
  uint64_t sealed = 0;  // of these, with a snapshot
  uint64_t crashes = 0; // lives of nodes beyond the first
};

class simulation {
public:
  explicit simulation(uint64_t seed);
  /// Tells the story to its end, or to the first violation.
  story run();

private:
  using moment = std::chrono::milliseconds; // since the beginning

  static fleet_shape roll_shape(std::mt19937_64& dice);
  void plan();
  void plan_clients();
  void plan_incidents();
  void at(moment when, std::function<void()> what);
  moment any_moment();
  std::size_t any_node();
  branch_mode any_mode();
  std::vector<std::string> any_labels();

  void bring_incident();
  void kill_for_a_while(std::size_t index);
  void restart_coordinator();
  void fill_disk(std::size_t index);
  void restore_something();
  void cancel_something();
  void branch_child(const sandbox_id& child);
  void stop_and_remove(const sandbox_id& child, const snapshot_tag& tag);
  void repair();

  /// Runs until `when`, or all clients are through if `early`.
  void run_until(moment when, bool early);
  void run_messages();
  void poll_clients();
  bool all_through() const;
  void note(std::string wrong);
  bool is_broken() const { return !story_.violation.empty(); }

  void check_end();
  void check_operation(const operation_id& operation);
  void check_still_works();

  std::mt19937_64 plan_dice_;
  simulated_fleet fleet_;
  world::time_point begin_;
  std::multimap<world::time_point, std::function<void()>> agenda_;
  std::deque<simulated_client> clients_;
  endings endings_;
  story story_;
  std::set<snapshot_tag> removed_; // or perhaps so
  uint64_t operations_ = 0;
};

/// The story of one seed.
story tell(uint64_t seed);

} // namespace forkfleet::test
