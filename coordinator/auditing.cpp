// SPDX-License-Identifier: Apache-2.0
// Who asks, and the lines that the audit log gets of it.
#include <utility>

#include "actors/log.hpp"
#include "coordinator/coordinator_work.hpp"

namespace forkfleet::coordinator_work {

access_subject sender_of(coordinator_pointer self) {
  const auto& access = self->state.access;
  if (!access.who_is)
    return {.name = "local", .serial = {}, .role = access_role::admin};
  const auto& sender = self->current_sender();
  if (!sender)
    return {};
  return access.who_is(sender->node());
}

void audit(coordinator_pointer self, audit_record line) {
  auto& st = self->state;
  line.at = unix_now(self);
  if (line.event == "refused") {
    if (!st.refusals.take(line, self->clock().now()))
      return;
    log::warn("request.refused", {{"subject", line.subject},
                                  {"message", line.message},
                                  {"operation", line.operation},
                                  {"reason", line.outcome}});
  }
  if (st.access.audit)
    st.access.audit(line);
}

void audit_suppressed(coordinator_pointer self) {
  auto& st = self->state;
  for (auto& line : st.refusals.take_suppressed(self->clock().now())) {
    line.at = unix_now(self);
    log::warn("requests.refused",
              {{"subject", line.subject}, {"count", line.count}});
    if (st.access.audit)
      st.access.audit(line);
  }
}

} // namespace forkfleet::coordinator_work
