// SPDX-License-Identifier: Apache-2.0
#include <utility>

#include "actors/log.hpp"
#include "coordinator/coordinator_work.hpp"
#include "coordinator/request_check.hpp"
#include "coordinator/routes.hpp"

namespace forkfleet::coordinator_work {

namespace {

/// How many operations one host is asked for by id in one round.
constexpr std::size_t probes_max = 16;
/// How long a node may take to look an operation up.
constexpr milliseconds query_timeout{2000};

/// Takes what the node said to a query. A node journals an operation before
/// it begins, so one that it does not know never started.
void take_answer(coordinator_pointer self, const host_name& host,
                 const operation_status& answer) {
  auto& st = self->state;
  if (answer.state != operation_state::unknown)
    return on_told(self, host, answer);
  const auto* entry = st.ledger.find(answer.operation);
  const bool may_start = !entry || entry->is_asked;
  if (may_start || entry->state == entry_state::ended)
    return;
  log::info("operation.forgotten",
            {{"operation", answer.operation}, {"host", host}});
  st.ledger.forget(answer.operation);
  drop_waiters(self, answer.operation,
               {ec::node_down, "it never started; ask again with the same id"});
}

/// Asks the host's node for the operation; calls `then` with or without an
/// answer.
template <class Then>
void ask_by_id(coordinator_pointer self, const host_name& host,
               const operation_id& operation, Then then) {
  self
    ->request<caf::message_priority::high>(self->state.handles.at(host),
                                           caf::timespan{query_timeout},
                                           operation_query{operation})
    .then(
      [self, host, operation, then](operation_status& answer) mutable {
        answer.operation = operation;
        take_answer(self, host, answer);
        then();
      },
      [then](const caf::error&) mutable { then(); });
}

} // namespace

caf::result<operation_status> on_query(coordinator_pointer self,
                                       const operation_query& query) {
  auto& st = self->state;
  const auto& operation = query.operation;
  if (auto good = check_name(operation); !good)
    return to_caf_error(good.error());
  const auto* entry = st.ledger.find(operation);
  if (!entry) {
    if (auto wait =
          not_told(untold(self), "operation '" + operation.value + "'"))
      return to_caf_error(wait);
    return operation_status{.operation = operation};
  }
  const bool is_open = entry->state != entry_state::ended;
  if (!is_open || entry->is_asked || !st.nodes.is_up(entry->host))
    return st.ledger.status(operation);
  auto promise = self->make_response_promise<operation_status>();
  ask_by_id(self, entry->host, operation, [self, promise, operation]() mutable {
    promise.deliver(self->state.ledger.status(operation));
  });
  return promise;
}

void on_told(coordinator_pointer self, const host_name& host,
             const operation_status& told) {
  auto& ledger = self->state.ledger;
  if (ledger.learn(host, told))
    note_end(self, ledger.find(told.operation)->branch);
  settle(self, told.operation);
}

void probe(coordinator_pointer self) {
  auto& st = self->state;
  for (const auto& host : st.nodes.up())
    for (const auto& operation : st.ledger.unasked(host, probes_max)) {
      if (!st.probed.insert(operation).second)
        continue;
      ask_by_id(self, host, operation,
                [self, operation] { self->state.probed.erase(operation); });
    }
}

} // namespace forkfleet::coordinator_work
