// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "actors/log.hpp"
#include "coordinator/coordinator_work.hpp"
#include "coordinator/request_check.hpp"
#include "coordinator/routes.hpp"

namespace forkfleet::coordinator_work {

namespace {

template <class Report>
report_waiters<Report>& waiters_of(coordinator_state& st) {
  if constexpr (std::is_same_v<Report, branch_report>)
    return st.branches;
  else
    return st.restores;
}

template <class Report>
const Report& report_of(const ledger_entry& entry) {
  if constexpr (std::is_same_v<Report, branch_report>)
    return entry.branch;
  else
    return entry.restore;
}

/// Answers all who wait for the operation and forgets them.
template <class Report, class Answer>
void deliver(coordinator_state& st, const operation_id& operation,
             const Answer& answer) {
  auto waiting = waiters_of<Report>(st).extract(operation);
  if (waiting.empty())
    return;
  for (auto& waiter : waiting.mapped())
    waiter.promise.deliver(answer);
}

/// The node answered: closes the entry, unless its end was told before. An
/// entry that was thought to have never started is there again.
template <class Report>
void finish(coordinator_pointer self, const Report& report) {
  auto& ledger = self->state.ledger;
  if constexpr (std::is_same_v<Report, branch_report>)
    if (!ledger.find(report.operation))
      ledger.learn(report.host, {.operation = report.operation,
                                 .state = operation_state::running,
                                 .report = report});
  if (ledger.close(report))
    note_end(self, report_of<Report>(*ledger.find(report.operation)));
  settle(self, report.operation);
}

/// A host that lacks the thing is believed.
void correct_names(coordinator_state& st, const operation_intent& intent,
                   const host_name& host, ec code) {
  if (code == ec::unknown_sandbox && intent.kind == operation_kind::branch)
    st.names.drop(intent.sandbox, host);
  if (code == ec::unknown_snapshot && intent.kind == operation_kind::restore)
    st.names.drop(intent.tag, host);
}

/// The node's error: either the operation never started, and the id is free
/// again, or nobody knows, and the node is asked for it by id.
template <class Report>
void give_up(coordinator_pointer self, const operation_intent& intent,
             const host_name& host, uint64_t attempt, const failure& why) {
  auto& st = self->state;
  const auto& operation = intent.operation;
  const auto* entry = st.ledger.find(operation);
  if (!entry || entry->attempt != attempt || entry->state == entry_state::ended)
    return; // it has ended otherwise, or is being asked again
  const bool is_unknown =
    group_of(why.code) == ec_group::unknown || why.code == ec::interrupted;
  log::warn("operation.failed", {{"operation", operation},
                                 {"host", host},
                                 {"reason", why},
                                 {"is_unknown", is_unknown}});
  if (is_unknown)
    st.ledger.doubt(operation);
  else
    st.ledger.forget(operation);
  correct_names(st, intent, host, why.code);
  // Who joined later may have more time; the next probe answers them.
  if (why.code == ec::deadline_exceeded)
    return expire_waiters(self);
  deliver<Report>(st, operation, to_caf_error(why));
}

/// Sends the request to the node and ends the entry by its answer.
template <class Report, class Request>
void ask_node(coordinator_pointer self, const host_name& host,
              Request request) {
  auto& st = self->state;
  request.epoch = st.epoch;
  const auto intent = intent_of(request);
  const auto attempt = st.ledger.trust(intent.operation);
  self
    ->request<caf::message_priority::high>(
      st.handles.at(host),
      caf::timespan{request.deadline + st.settings.request_slack}, request)
    .then(
      [self, intent, host](Report& report) {
        report.operation = intent.operation;
        if constexpr (std::is_same_v<Report, branch_report>)
          report.host = host;
        else
          report.sandbox.host = host;
        finish(self, report);
      },
      [self, intent, host, attempt](const caf::error& error) {
        give_up<Report>(self, intent, host, attempt, from_caf_error(error));
      });
}

/// Opens the operation on its host, or finds it.
template <class Request>
expected<opening> open(coordinator_pointer self, const Request& request) {
  auto& st = self->state;
  const auto intent = intent_of(request);
  auto found = st.ledger.check(intent);
  if (!found || *found == opening::ended)
    return found;
  const auto host = *found == opening::joined
                      ? st.ledger.find(intent.operation)->host
                      : find_host(st.names, request, untold(self));
  if (!host)
    return tl::unexpected{host.error()};
  if (!st.nodes.is_up(*host))
    return tl::unexpected{host_down(*host)};
  return st.ledger.open(intent, *host);
}

/// Branch and restore alike: answers with the outcome that there is, or
/// joins who waits, and asks the node unless it is being asked.
template <class Report, class Request>
caf::result<Report> run(coordinator_pointer self, Request request) {
  auto& st = self->state;
  if (request.operation.empty())
    request.operation = make_operation_id(unix_now(self), st.dice);
  if (auto good = complete(request, st.settings.deadline); !good)
    return to_caf_error(good.error());
  const auto opened = open(self, request);
  if (!opened)
    return to_caf_error(opened.error());
  const auto* entry = st.ledger.find(request.operation);
  if (*opened == opening::ended)
    return report_of<Report>(*entry);
  auto& waiting = waiters_of<Report>(st)[request.operation];
  if (waiting.size() >= st.settings.waiters_max)
    return to_caf_error(ec::node_busy,
                        fmt::format("{} requests wait for operation '{}'",
                                    waiting.size(), request.operation.value));
  auto promise = self->make_response_promise<Report>();
  waiting.push_back({.promise = promise,
                     .until = self->clock().now() + request.deadline
                              + st.settings.request_slack});
  if (*opened == opening::opened || !entry->is_asked)
    ask_node<Report>(self, entry->host, std::move(request));
  return promise;
}

template <class Report>
void expire(coordinator_pointer self) {
  auto& waiters = waiters_of<Report>(self->state);
  const auto now = self->clock().now();
  for (auto& [operation, waiting] : waiters) {
    const auto error =
      to_caf_error(ec::deadline_exceeded,
                   fmt::format("no outcome of operation '{}' within its "
                               "deadline; ask for it by id",
                               operation.value));
    std::erase_if(waiting, [&](auto& waiter) {
      if (now < waiter.until)
        return false;
      waiter.promise.deliver(error);
      return true;
    });
  }
  std::erase_if(waiters, [](const auto& item) { return item.second.empty(); });
}

template <class Report>
void fail_all(coordinator_pointer self, const host_name& host) {
  auto& st = self->state;
  auto lost = std::vector<operation_id>{};
  for (const auto& [operation, waiting] : waiters_of<Report>(st)) {
    const auto* entry = st.ledger.find(operation);
    if (!entry || entry->host == host)
      lost.push_back(operation);
  }
  for (const auto& operation : lost)
    deliver<Report>(st, operation, to_caf_error(host_down(host)));
}

} // namespace

caf::result<branch_report> on_branch(coordinator_pointer self,
                                     branch_request request) {
  return run<branch_report>(self, std::move(request));
}

caf::result<restore_report> on_restore(coordinator_pointer self,
                                       restore_request request) {
  return run<restore_report>(self, std::move(request));
}

void note_end(coordinator_pointer self, const branch_report& x) {
  log::info("branch.ended", {{"operation", x.operation},
                             {"sandbox", x.sandbox},
                             {"tag", x.tag},
                             {"host", x.host},
                             {"outcome", x.outcome},
                             {"subject", x.subject},
                             {"pause_us", x.pause},
                             {"total_us", x.total}});
  audit(self, {.event = "ended",
               .subject = x.subject,
               .message = "branch_request",
               .operation = x.operation.value,
               .target = x.host.value + " " + x.sandbox.value,
               .outcome = x.outcome});
  auto& names = self->state.names;
  const auto* known = names.find(x.tag);
  if (x.outcome || (known && known->host == x.host))
    return;
  const auto* source = names.find(x.sandbox);
  names.learn({.tag = x.tag,
               .host = x.host,
               .source = x.sandbox,
               .parent = source ? source->parent : snapshot_tag{},
               .operation = x.operation,
               .mode = x.mode,
               .method = x.method,
               .driver = source ? source->driver : std::string{},
               .root_hash = x.root_hash,
               .memory_bytes = x.memory_bytes,
               .stored_bytes = x.written_bytes,
               .created_at = x.started_at + x.total,
               .base = x.base,
               .subject = x.subject});
}

void note_end(coordinator_pointer self, const restore_report& x) {
  log::info("restore.ended", {{"operation", x.operation},
                              {"tag", x.tag},
                              {"sandbox", x.sandbox.id},
                              {"host", x.sandbox.host},
                              {"outcome", x.outcome},
                              {"subject", x.subject},
                              {"total_us", x.total}});
  audit(self, {.event = "ended",
               .subject = x.subject,
               .message = "restore_request",
               .operation = x.operation.value,
               .target = x.sandbox.host.value + " " + x.sandbox.id.value,
               .outcome = x.outcome});
  if (!x.outcome)
    self->state.names.learn(x.sandbox);
}

void settle(coordinator_pointer self, const operation_id& operation) {
  auto& st = self->state;
  const auto* entry = st.ledger.find(operation);
  if (!entry || entry->state != entry_state::ended)
    return;
  if (entry->intent.kind == operation_kind::branch)
    deliver<branch_report>(st, operation, entry->branch);
  else
    deliver<restore_report>(st, operation, entry->restore);
}

void drop_waiters(coordinator_pointer self, const operation_id& operation,
                  const failure& why) {
  deliver<branch_report>(self->state, operation, to_caf_error(why));
  deliver<restore_report>(self->state, operation, to_caf_error(why));
}

void expire_waiters(coordinator_pointer self) {
  expire<branch_report>(self);
  expire<restore_report>(self);
}

void fail_operations(coordinator_pointer self, const host_name& host) {
  fail_all<branch_report>(self, host);
  fail_all<restore_report>(self, host);
}

} // namespace forkfleet::coordinator_work
