// SPDX-License-Identifier: Apache-2.0
// Leaves a process behind that keeps a fleet up, and hears from it until the
// fleet is ready.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "actors/shell/exit_code.hpp"
#include "actors/shell/launch.hpp"

namespace forkfleet::shell {

/// What the process left behind runs. Its return ends that process.
using detached_task =
  std::function<exit_code(signal_source&, const launch_reporter&)>;

/// How the other side ended, or that it is ready.
struct detached_start {
  exit_code code = exit_code::failed;
  int pid = 0;
};

/// Runs `task` in a session of its own, with its output in the file `log`
/// and "/" as its directory, and passes on what it reports. Returns when it
/// is ready or has ended. A signal meanwhile stops it. Must be called before
/// this process has a second thread.
expected<detached_start> run_detached(const std::string& log,
                                      const detached_task& task,
                                      const launch_reporter& reporter);

} // namespace forkfleet::shell
