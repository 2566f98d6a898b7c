// SPDX-License-Identifier: Apache-2.0
// Access to guests: passed to the host that has the sandbox.
#include <fmt/format.h>

#include "coordinator/coordinator_work.hpp"
#include "coordinator/errand_run.hpp"
#include "coordinator/request_check.hpp"
#include "coordinator/routes.hpp"

namespace forkfleet::coordinator_work {

namespace {

/// Takes `access_deadline` for none.
status complete_deadline(milliseconds& asked) {
  if (asked < milliseconds::zero() || asked > access_deadline_max)
    return fail(ec::invalid_request,
                fmt::format("deadline_ms is {}; give 0 to {}: a guest is asked "
                            "again rather than for longer",
                            asked.count(), access_deadline_max.count()));
  if (asked == milliseconds::zero())
    asked = access_deadline;
  return {};
}

template <class Reply, class Request>
caf::result<Reply> pass_to_guest(coordinator_pointer self, Request request) {
  if (auto good = check_name(request.sandbox); !good)
    return to_caf_error(good.error());
  if (auto good = complete_deadline(request.deadline); !good)
    return to_caf_error(good.error());
  const auto host = find_host(self->state.names, request, untold(self));
  if (!host)
    return to_caf_error(host.error());
  return run_errand<Reply>(
    self, *host, request, request.deadline,
    [self, sandbox = request.sandbox, host = *host](const expected<Reply>& x) {
      // A host that lacks the sandbox is believed.
      if (!x && x.error().code == ec::unknown_sandbox)
        self->state.names.drop(sandbox, host);
    });
}

} // namespace

caf::result<exec_report> on_exec(coordinator_pointer self,
                                 exec_request request) {
  if (auto good = check_name(request.operation); !good)
    return to_caf_error(good.error());
  return pass_to_guest<exec_report>(self, std::move(request));
}

caf::result<file_report> on_file(coordinator_pointer self,
                                 file_request request) {
  return pass_to_guest<file_report>(self, std::move(request));
}

caf::result<console_report> on_console(coordinator_pointer self,
                                       console_request request) {
  return pass_to_guest<console_report>(self, std::move(request));
}

} // namespace forkfleet::coordinator_work
