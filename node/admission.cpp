// SPDX-License-Identifier: Apache-2.0
#include "node/admission.hpp"

namespace forkfleet {

status admission::admit(const branch_request& request) {
  for (const auto& [operation, held] : holders_) {
    if (held.source == request.sandbox)
      return fail(ec::branch_in_progress, request.sandbox.value
                                            + " is being branched by "
                                            + operation.value);
    if (held.tag == request.tag)
      return fail(ec::snapshot_exists,
                  request.tag.value + " is being made by " + operation.value);
  }
  if (holders_.size() >= slots_)
    return fail(ec::node_busy,
                "all " + std::to_string(slots_) + " branch slots are taken");
  holders_.emplace(request.operation, holder{request.sandbox, request.tag});
  return {};
}

void admission::release(const operation_id& operation) {
  holders_.erase(operation);
}

} // namespace forkfleet
