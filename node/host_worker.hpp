// SPDX-License-Identifier: Apache-2.0
// HOST WORKER: does what blocks, so that the NODE and its SANDBOXes never
// do. Spawn it detached, except in tests.
#pragma once

#include <memory>
#include <utility>

#include "actors/log.hpp"
#include "node/local_messages.hpp"

namespace forkfleet {

struct host_worker_state {
  static inline const char* name = "host-worker";
};

/// Runs each job to its end, one after the other.
host_worker_actor::behavior_type
host_worker(host_worker_actor::stateful_pointer<host_worker_state> self);

/// After so long without an answer a HOST WORKER is asked again.
inline constexpr auto job_patience = std::chrono::seconds{60};

/// The wait of `run_on`; the job leaves its answer in `kept` as well.
template <class Self, class Then>
void await_job(Self self, const host_worker_actor& hand, host_job job,
               std::shared_ptr<host_answer> kept, Then then) {
  self->request(hand, caf::timespan{job_patience}, std::move(job))
    .then([then](const host_answer& answer) mutable { then(answer); },
          [self, hand, kept, then](const caf::error& error) mutable {
            auto why = from_caf_error(error);
            if (why.code != ec::deadline_exceeded)
              return then(host_answer{.outcome = std::move(why)});
            log::warn("job.delayed", {{"actor", self->name()}});
            // It runs its jobs in order: this one ends after the first.
            auto again = host_job{[kept] { return *kept; }};
            await_job(self, hand, std::move(again), kept, std::move(then));
          });
}

/// Has `hand` do `job`, and calls `then` when it is over, however long that
/// takes: work that may still go on is never taken for ended.
template <class Self, class Then>
void run_on(Self self, const host_worker_actor& hand, host_job job, Then then) {
  auto kept = std::make_shared<host_answer>(
    host_answer{.outcome = {ec::interrupted, "the work failed half-way"}});
  auto keeping = host_job{[job = std::move(job), kept] {
    *kept = job.run();
    return *kept;
  }};
  await_job(self, hand, std::move(keeping), kept, std::move(then));
}

} // namespace forkfleet
