// SPDX-License-Identifier: Apache-2.0
// The keeper of one VM: outlives the node, resumes the guest when a node dies
// or is late within a pause, and drains a migration pipe whose reader died or
// is late. One thread and one poll loop; node/qemu/keeper_link.hpp tells what
// is said on its socket.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "actors/unique_fd.hpp"
#include "node/keeper/options.hpp"
#include "node/keeper/vmm_child.hpp"
#include "node/keeper/watchdog.hpp"

namespace forkfleet::keeper {

/// Connections that are served at once; more are closed.
inline constexpr std::size_t clients_max = 8;

/// A keeper without a VM of its own leaves after this long without a node.
inline constexpr auto idle_time_max = std::chrono::seconds{60};

/// A VMM that said that it ends has so long to do so. QEMU 7.2 can hang there
/// for ever, when a command comes while it closes its monitors.
inline constexpr auto vmm_end_max = std::chrono::seconds{10};

/// Serves until there is nothing left to keep.
class keeper {
public:
  explicit keeper(options settings);

  /// Opens the control socket and the leash, and starts the VM.
  status start();

  /// Returns when the VM has ended, or when a keeper without one is no
  /// longer needed.
  void run();

  /// Kills the VM, if there is one.
  void end_vm() const { vmm_.kill(); }

private:
  using clock = std::chrono::steady_clock;

  struct client {
    unique_fd socket = {};
    unique_fd pipe = {};          // a migration pipe's read end
    clock::time_point lease = {}; // when it ends
    bool is_armed = false;        // a lease runs, or ran out
    bool is_expired = false;
    clock::time_point reading = {}; // when the node has to say again that it
                                    // reads the pipe
    bool is_reading = false;        // that time runs, or ran out
    bool is_pipe_lost = false;      // we read it, or some of it
  };

  bool is_needed() const;
  void wait();
  int wait_milliseconds() const;
  void look_at_leases();
  bool hears_vmm() const;
  void hear_vmm();
  static void take_pipe(client& x);
  void trim_outputs();
  void accept_client();
  void serve(client& x);
  void answer(client& x, std::string_view request, unique_fd passed);
  void guard(client& x, unique_fd pipe);
  void give_tracker(const client& x);
  void drop(client& x, std::string_view why);
  static void say(const client& x, std::string_view text, int pass = -1);
  void leash_pulled();

  options settings_;
  watchdog watchdog_;
  vmm_child vmm_ = {};
  unique_fd listener_ = {};
  unique_fd leash_ = {};
  std::vector<client> clients_ = {};
  clock::time_point idle_since_ = clock::now();
  clock::time_point next_trim_ = {};
  bool is_trim_told_ = false;
  clock::time_point next_listen_ = {};
  std::string told_end_ = {};        // why the VMM says that it ends
  clock::time_point end_limit_ = {}; // when it must have
  bool leaves_ = false;
};

} // namespace forkfleet::keeper
