// SPDX-License-Identifier: Apache-2.0
// A thread on which simulated guests write their pages all the time, as real
// ones do. Without it a guest's writes are made up when its VM is asked,
// which is exact but takes its time within a pause.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "node/simulated/machine.hpp"

namespace forkfleet {

/// Runs machines by the steady clock until they are gone.
class guest_writer {
public:
  /// How often each machine runs.
  static constexpr std::chrono::microseconds interval{200};

  guest_writer();
  ~guest_writer();
  guest_writer(const guest_writer&) = delete;

  void add(const simulated_machine_ptr& machine);

private:
  void run();

  std::mutex mutex_ = {};
  std::condition_variable changed_ = {};
  std::vector<std::weak_ptr<simulated_machine>> machines_ = {};
  bool ends_ = false;
  std::thread thread_ = {};
};

using guest_writer_ptr = std::shared_ptr<guest_writer>;

} // namespace forkfleet
