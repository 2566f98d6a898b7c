// SPDX-License-Identifier: Apache-2.0
// A fleet of one host and one real QEMU guest that is listened to all the
// time: for tests that break things under it.
#pragma once

#include <memory>
#include <string>
#include <thread>

#include "examples/guest_watch.hpp"
#include "tests/support/fleet_fixture.hpp"

namespace forkfleet::test {

/// The sandbox is `source` on `h1`.
struct guest_fleet : fleet_fixture {
  using clock = std::chrono::steady_clock;

  /// `branch`: YAML of the branch section. `data_base` as in fleet_shape.
  explicit guest_fleet(const std::string& branch = {},
                       const std::string& data_base = {});

  /// Whether the example guest was built; says `skip` when not.
  static bool can_run();

  /// Starts all of it, and waits until the guest counts.
  void start_watched();

  /// The guest is heard after now, and finds no error in its memory.
  void check_guest_runs();

  /// Ends the node if it runs, and starts it with `fault`; the VM stays.
  void restart_node(const std::string& fault = {});

  branch_request request(const std::string& operation,
                         branch_mode mode = branch_mode::automatic) const;

  /// Asks for a branch on a thread of its own, as a client that may go.
  std::thread ask_aside(const branch_request& wanted);

  /// Waits until the operation has ended, and tells how.
  operation_status ending_of(const std::string& operation);

  /// Waits until the node has stopped itself, as a `stop:` fault does.
  void wait_until_stopped();

  /// Lets it go on. Its coordinator may have given it up meanwhile.
  void resume_node();

  /// Every hash of a snapshot is right.
  void check_whole(const std::string& tag);

  /// A child of the snapshot counts on, and finds no error in its memory.
  void check_child(const std::string& tag);

  std::unique_ptr<guest::guest_watch> guest = {};
};

} // namespace forkfleet::test
