// SPDX-License-Identifier: Apache-2.0
// A fleet whose guest has an agent and a writable disk with a file system on
// it, and what is asked of such guests from inside.
#pragma once

#include <string>
#include <vector>

#include "tests/support/fleet_fixture.hpp"

namespace forkfleet::test {

/// The file under the guests' disk: ext4, with one file on it.
class disk_base {
public:
  static constexpr uint64_t bytes = 96ull << 20;

  disk_base();

  std::string path() const { return home_.path() + "/base.raw"; }
  /// Whether it is as it was made.
  bool is_untouched() const;

private:
  scratch_directory home_;
  std::string hash_ = {};
};

/// The sandbox is `source` on the first host; its disk is at /disk.
struct disk_fleet : disk_base, fleet_fixture {
  explicit disk_fleet(const std::vector<std::string>& hosts = {"h1"},
                      const std::string& data_base = {});

  /// Whether the guest was built; says `skip` when not.
  static bool can_run();

  /// Starts all of it, and waits until the guest's agent answers.
  void start_guest();

  /// Runs a shell script in a guest and returns what it printed; it must
  /// succeed.
  std::string run(const std::string& sandbox, const std::string& script);
  /// Starts one, and does not wait.
  void begin(const std::string& sandbox, const std::string& script);
  /// Whether a script succeeds, and the agent answers at all.
  bool succeeds(const std::string& sandbox, const std::string& script);

  /// Runs the tool; it must succeed.
  void tool(std::vector<std::string> words);

  /// A whole branch of a sandbox.
  branch_report take(const std::string& sandbox, const std::string& tag);

  /// Files that the VM of a sandbox has open for writing, layers of disks
  /// only; device and inode, as one text each.
  std::vector<std::string> written_layers(const std::string& sandbox);

  /// forkfleet-fsck has nothing to say of a host whose node does not run.
  void check_nothing_is_left(const std::string& host);
};

} // namespace forkfleet::test
