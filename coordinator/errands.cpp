// SPDX-License-Identifier: Apache-2.0
#include <utility>
#include <variant>

#include "coordinator/coordinator_work.hpp"
#include "coordinator/errand_run.hpp"
#include "coordinator/request_check.hpp"
#include "coordinator/routes.hpp"

namespace forkfleet::coordinator_work {

namespace {

/// Whether the node has no such thing (any more).
bool is_gone(const expected<done>& x, ec unknown) {
  return x || x.error().code == unknown;
}

} // namespace

caf::result<done> on_stop(coordinator_pointer self, stop_request request) {
  if (auto good = check_name(request.sandbox); !good)
    return to_caf_error(good.error());
  const auto host = find_host(self->state.names, request, untold(self));
  if (!host)
    return to_caf_error(host.error());
  return run_errand<done>(
    self, *host, request, self->state.settings.deadline,
    [self, sandbox = request.sandbox, host = *host](const expected<done>& x) {
      if (is_gone(x, ec::unknown_sandbox))
        self->state.names.drop(sandbox, host);
    });
}

caf::result<done> on_remove(coordinator_pointer self, remove_request request) {
  if (auto good = check_name(request.tag); !good)
    return to_caf_error(good.error());
  const auto host = find_host(self->state.names, request, untold(self));
  if (!host)
    return to_caf_error(host.error());
  return run_errand<done>(
    self, *host, request, self->state.settings.deadline,
    [self, tag = request.tag, host = *host](const expected<done>& x) {
      if (is_gone(x, ec::unknown_snapshot))
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
    std::visit(
      [&host](auto& promise) {
        promise.deliver(to_caf_error(host_down(host)));
      },
      it->second.promise);
    it = errands.erase(it);
  }
}

} // namespace forkfleet::coordinator_work
