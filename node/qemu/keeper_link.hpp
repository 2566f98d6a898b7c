// SPDX-License-Identifier: Apache-2.0
// The node's side of a keeper's control socket. The keeper resumes the guest
// when a lease ends or this connection does, and reads the migration pipe when
// the node does not.
//
// One text per message. From the node: `hello`, `guard` (with the pipe's read
// end beside it, or nothing), `lease MILLISECONDS`, `resumed`,
// `reading MILLISECONDS`, `read`, `tracker`, `leave`. From the keeper:
// `hello KEEPER_PID VMM_PID VMM_START_TICKS`, `guarded` or `unguarded WHY`,
// nothing, `in-time` or `expired`, nothing, `in-time` or `expired`, `tracker`
// with a userfaultfd beside it or `untracked WHY`, nothing.
#pragma once

#include <chrono>
#include <string>

#include "actors/unique_fd.hpp"
#include "node/qemu/process.hpp"
#include "node/vmm.hpp"

namespace forkfleet::qemu {

/// The control socket in a VM's directory.
inline constexpr const char* keeper_socket = "keeper.sock";

/// The longest message either side sends.
inline constexpr std::size_t keeper_message_max = 512;

/// Who is at the other end.
struct keeper_identity {
  process_id keeper = {};
  process_id vmm = {}; // none: the keeper has no VM of its own
};

/// What starts a keeper.
struct keeper_command {
  std::string keeper = {};    // the helper's path
  std::string directory = {}; // the VM's own
  std::string watchdog = {};  // the second QMP socket; empty: there is none
  std::string preload = {};   // put into the VM; empty: nothing
  std::string overlay = {};   // what that maps over the base
  std::string record = {};    // the VM starts only while this file is there
  std::string cgroup = {};    // which keeper and VM join; empty: none
  std::string space = {};     // their network namespace; empty: ours
  std::string log = {};       // file of what the VM says; empty: qemu.log
  int leash_pid = 0;
  uint64_t output_bytes = 0;         // kept of what the VM prints; 0: all of it
  uint32_t uid = 0;                  // the VM takes this user; 0: it does not
  std::vector<std::string> vmm = {}; // empty: guard a VM that runs already
};

/// Starts a keeper; returns when it listens and its VM's process exists.
status start_keeper(const keeper_command& command, deadline_point until);

/// Kills the VM that a keeper started in `directory`, if there is one, and
/// waits until nothing of ours writes there. `vmm_socket` is the name of the
/// VMM's own socket, by which a VM is found whose keeper has died. With the
/// record removed before, none is started later. An error: it is not known
/// whether a VM runs there, and the directory must stay.
status end_kept_vm(const std::string& directory, const char* vmm_socket,
                   deadline_point until);

/// One connection to a keeper. Errors: vmm_unreachable with the socket's
/// path, deadline_exceeded. Used by one thread at a time.
class keeper_link {
public:
  static expected<keeper_link> connect(const std::string& path,
                                       deadline_point until);

  const keeper_identity& identity() const { return identity_; }

  /// Asks it for a word, over a connection of its own; a keeper that was
  /// stopped, or hangs, does not answer in time.
  status check(deadline_point until) const;

  /// Before a pause: the keeper sees to it that it can resume the guest,
  /// after it has finished what an earlier node left. `pipe` is the read end
  /// of a migration pipe that it drains should we die or be late; -1: none.
  /// Returns why it cannot resume the guest; empty: it can.
  expected<std::string> guard(int pipe, deadline_point until);

  /// From now on, and for this long, the guest may stand. Does not wait.
  status lease(std::chrono::milliseconds duration);

  /// The guest runs again. False when the keeper had to resume it, because
  /// the lease was over.
  expected<bool> resumed(deadline_point until);

  /// The pipe is being read, and this is said again within `duration`. Does
  /// not wait. Otherwise the keeper reads the pipe to its end, for the guest's
  /// writes wait for that.
  status reading(std::chrono::milliseconds duration);

  /// The pipe was read to its end. False when the keeper had to read some of
  /// it, now or because the lease of its pause was over: what was read here is
  /// not whole.
  expected<bool> read(deadline_point until);

  /// The VM's own userfaultfd, with which its memory is tracked; the keeper
  /// keeps it, too. unsupported says why there is none.
  expected<unique_fd> tracker(deadline_point until);

  /// A keeper without a VM of its own leaves.
  void leave() noexcept;

  /// After the end of its VM: waits until the keeper has written down how it
  /// ended, and has left. Nothing of ours writes to the directory then.
  status wait_for_end(deadline_point until) const;

private:
  keeper_link(std::string path, unique_fd socket)
    : path_{std::move(path)}, socket_{std::move(socket)} {}

  status say(std::string_view text, int pass, deadline_point until);
  expected<std::string> hear(deadline_point until, unique_fd* passed = nullptr);
  expected<bool> is_in_time(std::string_view said, deadline_point until);

  std::string path_;
  unique_fd socket_;
  keeper_identity identity_ = {};
};

} // namespace forkfleet::qemu
