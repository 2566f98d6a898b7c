// SPDX-License-Identifier: Apache-2.0
// A VM takes the place of another under a sandbox' name. The one durable step
// between the two is a record that is finished and of a later life than the
// other's; all before it can be taken back, and all after it is the end of
// the VM that was replaced.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "node/host_worker.hpp"
#include "node/node_work.hpp"
#include "node/sandbox_birth.hpp"

namespace forkfleet::node_work {

using restore_promise = caf::typed_response_promise<restore_report>;
using switch_ptr = std::shared_ptr<switch_run>;

/// A job of this switch, on the worker of the sandbox' new VM.
template <class Work, class Then>
void run_work(node_pointer self, const switch_ptr& run, Work work, Then then) {
  auto job =
    host_job{[services = shared_services(self), run, work = std::move(work)] {
      return work(*services, *run);
    }};
  run_on(self, run->hand, std::move(job), std::move(then));
}

/// The answer to an operation that is known: under way, or done. `asked` is
/// the request's digest: operation_conflict for another one's.
std::optional<caf::result<restore_report>>
answer_known(node_pointer self, const operation_id& operation,
             const std::string& asked);

/// Begins it: nothing else is begun with either sandbox until it has ended.
/// `what` is done to them, such as "rolled back".
restore_promise start_switch(node_pointer self, const switch_ptr& run,
                             std::string what);

/// Ends it and answers.
void end_switch(node_pointer self, const switch_ptr& run,
                const failure& outcome);

/// Has the SANDBOX, if there is one, hand out its VM; then goes on. After an
/// error all is as it was, and it has ended.
void release_vm(node_pointer self, const switch_ptr& run, const sandbox_id& id,
                vmm_ptr switch_run::*into, std::function<void()> then);

/// The durable step, and all that follows.
void commit_switch(node_pointer self, const switch_ptr& run);

} // namespace forkfleet::node_work
