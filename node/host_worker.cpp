// SPDX-License-Identifier: Apache-2.0
#include "node/host_worker.hpp"

#include <exception>

#include "actors/harden.hpp"

namespace forkfleet {

namespace {

/// A library that throws must not take the worker with it.
host_answer run_job(const host_job& job) {
  try {
    return job.run();
  } catch (const std::exception& error) {
    return {.outcome = {ec::io_failed, error.what()}};
  }
}

} // namespace

host_worker_actor::behavior_type
host_worker(host_worker_actor::stateful_pointer<host_worker_state> self) {
  harden(self);
  return {
    [](const host_job& job) { return run_job(job); },
  };
}

} // namespace forkfleet
