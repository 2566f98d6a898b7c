// SPDX-License-Identifier: Apache-2.0
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "actors/log.hpp"
#include "coordinator/coordinator_work.hpp"
#include "coordinator/request_check.hpp"
#include "coordinator/routes.hpp"

namespace forkfleet::coordinator_work {

namespace {

/// A stop or a removal: its promise waits in the state.
template <class Request, class Then>
caf::result<done> run_errand(coordinator_pointer self, const host_name& host,
                             Request request, Then then) {
  auto& st = self->state;
  if (!st.nodes.is_up(host))
    return to_caf_error(host_down(host));
  if (st.errands.size() >= st.settings.errands_max)
    return to_caf_error(ec::node_busy, fmt::format("{} stops and removals in "
                                                   "flight",
                                                   st.errands.size()));
  const auto number = st.next_errand++;
  auto promise = self->make_response_promise<done>();
  st.errands[number] = {.host = host, .promise = promise};
  request.epoch = st.epoch;
  const auto answer = [self, number, then](const auto& x, const failure& why) {
    then(why.code);
    auto waiting = self->state.errands.extract(number);
    if (!waiting.empty())
      waiting.mapped().promise.deliver(x);
  };
  self
    ->request(st.handles.at(host),
              caf::timespan{st.settings.deadline + st.settings.request_slack},
              request)
    .then([answer](const done& x) { answer(x, {}); },
          [answer](const caf::error& x) {
            const auto why = from_caf_error(x);
            answer(to_caf_error(why), why);
          });
  return promise;
}

} // namespace

caf::result<done> on_stop(coordinator_pointer self, stop_request request) {
  if (auto good = check_name(request.sandbox); !good)
    return to_caf_error(good.error());
  const auto host = find_host(self->state.names, request, untold(self));
  if (!host)
    return to_caf_error(host.error());
  const auto sandbox = request.sandbox;
  return run_errand(self, *host, std::move(request),
                    [self, sandbox, host = *host](ec outcome) {
                      if (outcome == ec::none || outcome == ec::unknown_sandbox)
                        self->state.names.drop(sandbox, host);
                    });
}

caf::result<done> on_remove(coordinator_pointer self, remove_request request) {
  if (auto good = check_name(request.tag); !good)
    return to_caf_error(good.error());
  const auto host = find_host(self->state.names, request, untold(self));
  if (!host)
    return to_caf_error(host.error());
  const auto tag = request.tag;
  return run_errand(
    self, *host, std::move(request), [self, tag, host = *host](ec outcome) {
      if (outcome == ec::none || outcome == ec::unknown_snapshot)
        self->state.names.drop(tag, host);
    });
}

void fail_errands(coordinator_pointer self, const host_name& host) {
  auto& errands = self->state.errands;
  for (auto it = errands.begin(); it != errands.end();) {
    if (it->second.host != host) {
      ++it;
      continue;
    }
    it->second.promise.deliver(to_caf_error(host_down(host)));
    it = errands.erase(it);
  }
}

} // namespace forkfleet::coordinator_work
