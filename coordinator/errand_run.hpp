// SPDX-License-Identifier: Apache-2.0
// An errand: a request that the COORDINATOR passes to one node and whose
// answer it passes back. Its promise waits in the state, so that it is kept
// also when the node is lost.
#pragma once

#include <utility>

#include <fmt/format.h>

#include "coordinator/coordinator_work.hpp"
#include "coordinator/permissions.hpp"
#include "coordinator/request_service.hpp"

namespace forkfleet::coordinator_work {

/// How an answer reads in the audit log.
template <class Reply>
failure outcome_of(const expected<Reply>& x) {
  if (!x)
    return x.error();
  if constexpr (requires { x->outcome.code; })
    return x->outcome;
  else
    return {};
}

/// Asks the host's node; `then` takes what it said, an expected<Reply>, may
/// change it, and it goes to the client. Errors: node_down, node_busy at the
/// limit of errands.
template <class Reply, class Request, class Then>
caf::result<Reply> run_errand(coordinator_pointer self, const host_name& host,
                              Request request, milliseconds limit, Then then) {
  auto& st = self->state;
  if (!st.nodes.is_up(host))
    return to_caf_error(host_down(host));
  if (st.errands.size() >= st.settings.errands_max)
    return to_caf_error(
      ec::node_busy,
      fmt::format("{} requests to nodes in flight, the most that the "
                  "coordinator takes",
                  st.errands.size()));
  const auto number = st.next_errand++;
  auto promise = self->make_response_promise<Reply>();
  st.errands[number] = {.host = host, .promise = promise};
  request.epoch = st.epoch;
  auto line = line_of(st.asking, request, "ended");
  const auto is_noted = find_permission(Request::about.name)->is_audited
                        && is_worth_a_line(request);
  auto answer = [self, number, promise, then, line = std::move(line),
                 is_noted](expected<Reply> x) mutable {
    then(x);
    line.outcome = outcome_of(x);
    if (is_noted)
      audit(self, line);
    if (self->state.errands.erase(number) == 0)
      return; // answered when its node was lost
    if (x)
      promise.deliver(std::move(*x));
    else
      promise.deliver(to_caf_error(x.error()));
  };
  self
    ->request<caf::message_priority::high>(
      st.handles.at(host), caf::timespan{limit + st.settings.request_slack},
      request)
    .then([answer](Reply& x) mutable { answer(std::move(x)); },
          [answer](const caf::error& x) mutable {
            answer(tl::unexpected{from_caf_error(x)});
          });
  return promise;
}

} // namespace forkfleet::coordinator_work
