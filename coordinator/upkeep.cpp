// SPDX-License-Identifier: Apache-2.0
#include <string>
#include <utility>

#include <fmt/format.h>

#include "actors/log.hpp"
#include "coordinator/coordinator_work.hpp"
#include "coordinator/errand_run.hpp"
#include "coordinator/request_check.hpp"
#include "coordinator/routes.hpp"

namespace forkfleet::coordinator_work {

namespace {

/// How long a node may take to note that an operation is to end.
constexpr milliseconds cancel_limit{5000};

/// How long a node may look at its host, and repair it.
constexpr milliseconds fsck_limit{300'000};

/// How long a node may take to tell what its host can do.
constexpr milliseconds doctor_limit{30'000};

/// What there is to say to someone who cancels what has ended.
done told_ended(const ledger_entry& entry) {
  const auto& outcome = entry.branch.outcome;
  const auto how =
    outcome ? to_string(outcome.code) : "sealed as " + entry.branch.tag.value;
  return {"it had ended before: " + how};
}

/// The entry of a branch that has ended; null for all else.
const ledger_entry* find_ended(coordinator_pointer self,
                               const operation_id& operation) {
  const auto* entry = self->state.ledger.find(operation);
  const bool has_ended = entry && entry->state == entry_state::ended
                         && entry->intent.kind == operation_kind::branch;
  return has_ended ? entry : nullptr;
}

failure unknown_operation(coordinator_pointer self,
                          const operation_id& operation) {
  const auto what = "operation '" + operation.value + "'";
  if (auto wait = not_told(untold(self), what))
    return wait;
  return {ec::unknown_operation,
          what + " never started, or ended too long ago"};
}

/// A host that lacks the snapshot is believed.
template <class Reply>
void correct_names(coordinator_pointer self, const snapshot_tag& tag,
                   const host_name& host, const expected<Reply>& x) {
  if (!x && x.error().code == ec::unknown_snapshot)
    self->state.names.drop(tag, host);
}

/// Passes a request about a snapshot to the host that has it.
template <class Reply, class Request>
caf::result<Reply> pass_to_holder(coordinator_pointer self, Request request) {
  auto& st = self->state;
  if (auto good = complete(request, st.settings.deadline); !good)
    return to_caf_error(good.error());
  const auto host = find_host(st.names, request, untold(self));
  if (!host)
    return to_caf_error(host.error());
  return run_errand<Reply>(
    self, *host, request, request.deadline,
    [self, tag = request.tag, host = *host](expected<Reply>& x) {
      // Of two snapshots it is not known which one the host lacks.
      if constexpr (!std::is_same_v<Request, compare_request>)
        correct_names(self, tag, host, x);
      if constexpr (!std::is_same_v<Reply, done>)
        if (x)
          x->host = host;
    });
}

/// Its name, and that it is in the fleet file.
status check_host(coordinator_pointer self, const host_name& host) {
  if (auto good = check_name(host); !good)
    return good;
  if (!self->state.nodes.is_expected(host))
    return fail(ec::invalid_request, fmt::format("host '{}' is not in the "
                                                 "fleet file",
                                                 host.value));
  return {};
}

/// Can be asked for at once; the node's inventory completes it.
void note_import(coordinator_pointer self, const archive_report& x) {
  log::info("import.ended", {{"tag", x.tag},
                             {"host", x.host},
                             {"file", x.file},
                             {"outcome", x.outcome}});
  auto& names = self->state.names;
  if (!x.outcome && !names.find(x.tag))
    names.learn(snapshot_info{.tag = x.tag, .host = x.host});
}

/// The same for what is answered at once, by all that is known of it.
template <class Request>
caf::result<inspect_report> pass_at_once(coordinator_pointer self,
                                         const Request& request) {
  auto& st = self->state;
  const auto host = find_host(st.names, request, untold(self));
  if (!host)
    return to_caf_error(host.error());
  return run_errand<inspect_report>(
    self, *host, request, st.settings.deadline,
    [self, tag = request.tag, host = *host](expected<inspect_report>& x) {
      correct_names(self, tag, host, x);
      if (!x)
        return;
      x->snapshot.host = host;
      // A listing that follows shows what was just changed.
      if (const auto* known = self->state.names.find(tag);
          known && known->host == host && x->snapshot.tag == tag)
        self->state.names.learn(x->snapshot);
    });
}

} // namespace

caf::result<done> on_cancel(coordinator_pointer self,
                            const cancel_request& request) {
  auto& ledger = self->state.ledger;
  const auto& operation = request.operation;
  if (auto good = check_name(operation); !good)
    return to_caf_error(good.error());
  const auto* entry = ledger.find(operation);
  if (!entry)
    return to_caf_error(unknown_operation(self, operation));
  if (entry->intent.kind == operation_kind::restore)
    return to_caf_error(ec::unsupported, "a restore cannot be cancelled; stop "
                                         "the child once it runs");
  if (auto may = check_cancel(self->state.asking, entry->intent.subject); !may)
    return to_caf_error(may.error());
  if (entry->state == entry_state::ended)
    return told_ended(*entry);
  log::info("operation.cancelled", {{"operation", operation},
                                    {"host", entry->host},
                                    {"subject", text_of(self->state.asking)}});
  return run_errand<done>(self, entry->host, request, cancel_limit,
                          [self, operation](expected<done>& x) {
                            const auto* ended = find_ended(self, operation);
                            if (!x && x.error().code == ec::unknown_operation
                                && ended)
                              x = told_ended(*ended);
                          });
}

caf::result<done> on_flatten(coordinator_pointer self,
                             flatten_request request) {
  return pass_to_holder<done>(self, std::move(request));
}

caf::result<verify_report> on_verify(coordinator_pointer self,
                                     verify_request request) {
  return pass_to_holder<verify_report>(self, std::move(request));
}

caf::result<archive_report> on_export(coordinator_pointer self,
                                      export_request request) {
  return pass_to_holder<archive_report>(self, std::move(request));
}

caf::result<inspect_report> on_annotate(coordinator_pointer self,
                                        const annotate_request& request) {
  if (auto good = check_request(request); !good)
    return to_caf_error(good.error());
  return pass_at_once(self, request);
}

caf::result<inspect_report> on_inspect(coordinator_pointer self,
                                       const inspect_request& request) {
  if (auto good = check_name(request.tag); !good)
    return to_caf_error(good.error());
  return pass_at_once(self, request);
}

caf::result<compare_report> on_compare(coordinator_pointer self,
                                       compare_request request) {
  return pass_to_holder<compare_report>(self, std::move(request));
}

caf::result<archive_report> on_import(coordinator_pointer self,
                                      import_request request) {
  auto& st = self->state;
  if (auto good = complete(request, st.settings.deadline); !good)
    return to_caf_error(good.error());
  if (auto good = check_host(self, request.host); !good)
    return to_caf_error(good.error());
  if (auto free = check_free(st.names, request.tag, untold(self)); !free)
    return to_caf_error(free.error());
  if (auto taken = st.ledger.name_taken(request.tag))
    return to_caf_error(*taken);
  return run_errand<archive_report>(
    self, request.host, request, request.deadline,
    [self, host = request.host](expected<archive_report>& x) {
      if (!x)
        return;
      x->host = host;
      note_import(self, *x);
    });
}

caf::result<doctor_report> on_doctor(coordinator_pointer self,
                                     const doctor_request& request) {
  if (auto good = check_host(self, request.host); !good)
    return to_caf_error(good.error());
  return run_errand<doctor_report>(self, request.host, request, doctor_limit,
                                   [](const expected<doctor_report>&) {});
}

caf::result<fsck_report> on_fsck(coordinator_pointer self,
                                 const fsck_request& request) {
  if (auto good = check_host(self, request.host); !good)
    return to_caf_error(good.error());
  log::info("fsck.asked", {{"host", request.host}, {"repair", request.repair}});
  return run_errand<fsck_report>(self, request.host, request, fsck_limit,
                                 [](const expected<fsck_report>&) {});
}

namespace {

/// Who has which name after a switch that is over. A child's old name may be
/// another child's since.
void note_switch(coordinator_pointer self, const sandbox_id& from,
                 const sandbox_info& now) {
  auto& names = self->state.names;
  const auto* old = names.find(from);
  if (from != now.id && old && old->operation == now.operation)
    names.drop(from, now.host);
  names.learn(now);
}

/// Passes a switch to the host of its sandbox, and learns who has the name.
template <class Request>
caf::result<restore_report> pass_switch(coordinator_pointer self,
                                        Request request) {
  auto& st = self->state;
  if (request.operation.empty())
    request.operation = make_operation_id(unix_now(self), st.dice);
  if (request.deadline.count() <= 0)
    request.deadline = st.settings.deadline;
  for (auto good : {check_name(request.operation), check_name(request.sandbox)})
    if (!good)
      return to_caf_error(good.error());
  const auto host = find_host(st.names, request, untold(self));
  if (!host)
    return to_caf_error(host.error());
  log::info("switch.asked", {{"operation", request.operation},
                             {"sandbox", request.sandbox},
                             {"host", *host}});
  return run_errand<restore_report>(
    self, *host, request, request.deadline + milliseconds{120'000},
    [self, host = *host, from = request.sandbox](expected<restore_report>& x) {
      if (!x)
        return;
      x->sandbox.host = host;
      if (!x->outcome)
        note_switch(self, from, x->sandbox);
    });
}

} // namespace

caf::result<restore_report> on_rollback(coordinator_pointer self,
                                        rollback_request request) {
  if (auto good = check_name(request.tag); !good)
    return to_caf_error(good.error());
  return pass_switch(self, std::move(request));
}

caf::result<restore_report> on_promote(coordinator_pointer self,
                                       promote_request request) {
  return pass_switch(self, std::move(request));
}

} // namespace forkfleet::coordinator_work
