// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <utility>

#include "node/host_worker.hpp"
#include "node/node_work.hpp"
#include "node/uplink.hpp"

namespace forkfleet::node_work {

namespace {

status check(node_pointer self, const doctor_request& request) {
  if (auto fine = uplink::obey(self, request.epoch); !fine)
    return fine;
  if (self->state.draining)
    return fail(ec::shutting_down, "this node is going down");
  if (!self->state.services.examine_host)
    return fail(ec::unsupported, "this node cannot look at its host");
  return {};
}

} // namespace

caf::result<doctor_report> on_doctor(node_pointer self,
                                     const doctor_request& request) {
  auto& st = self->state;
  if (auto fine = check(self, request); !fine)
    return to_caf_error(fine.error());
  auto promise = self->make_response_promise<doctor_report>();
  auto checks = std::make_shared<std::vector<host_check>>();
  auto job = host_job{[examine = st.services.examine_host, checks] {
    *checks = examine();
    return host_answer{};
  }};
  run_on(self, st.doctor, std::move(job),
         [self, promise, checks](const host_answer& answer) mutable {
           promise.deliver(doctor_report{.host = self->state.settings.host,
                                         .outcome = answer.outcome,
                                         .checks = std::move(*checks)});
         });
  return promise;
}

} // namespace forkfleet::node_work
