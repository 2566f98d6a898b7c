// SPDX-License-Identifier: Apache-2.0
// Work of a NODE that mostly waits for a guest, which may never answer: it
// gets a HOST WORKER of its own, so that it holds up nobody.
#pragma once

#include <utility>
#include <vector>

#include "node/host_worker.hpp"
#include "node/node.hpp"

namespace forkfleet::node_work {

/// A HOST WORKER more. `dismiss` ends it when it has done its work, and takes
/// it out of the list that it was in.
host_worker_actor hire(node_pointer self);
void dismiss(node_pointer self, std::vector<host_worker_actor>& from,
             const host_worker_actor& hand);

/// Has a worker do `job` that ends after it, and calls `then`. How many there
/// may be is up to the caller, who bounds what is under way.
template <class Then>
void run_waiting(node_pointer self, host_job job, Then then) {
  const auto hand = hire(self);
  self->state.waiting_hands.push_back(hand);
  run_on(self, hand, std::move(job),
         [self, hand, then = std::move(then)](const host_answer& x) mutable {
           dismiss(self, self->state.waiting_hands, hand);
           then(x);
         });
}

} // namespace forkfleet::node_work
