// SPDX-License-Identifier: Apache-2.0
#include "node/waiting_work.hpp"

namespace forkfleet::node_work {

host_worker_actor hire(node_pointer self) {
  return self->state.services.threads ? self->spawn<caf::detached>(host_worker)
                                      : self->spawn(host_worker);
}

void dismiss(node_pointer self, std::vector<host_worker_actor>& from,
             const host_worker_actor& hand) {
  std::erase_if(from, [&hand](const host_worker_actor& x) {
    return x.address() == hand.address();
  });
  self->send_exit(hand, caf::exit_reason::user_shutdown);
}

} // namespace forkfleet::node_work
