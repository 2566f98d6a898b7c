// SPDX-License-Identifier: Apache-2.0
// What is said and known of a NODE's snapshots: labels, notes, sizes, and
// what the retention thinks of them.
#include <memory>
#include <utility>

#include "actors/labels.hpp"
#include "actors/log.hpp"
#include "node/host_worker.hpp"
#include "node/node_work.hpp"
#include "node/uplink.hpp"

namespace forkfleet::node_work {

namespace {

/// Asks the store on a HOST WORKER, after `first` did its part there, and
/// answers with all that is known.
template <class First>
caf::result<inspect_report> report(node_pointer self, const snapshot_tag& tag,
                                   First first) {
  auto found = std::make_shared<snapshot_usage>();
  auto job = host_job{[store = self->state.services.store, tag, first, found] {
    if (auto done = first(*store); !done)
      return host_answer{.outcome = done.error()};
    auto usage = store->usage(tag);
    if (!usage)
      return host_answer{.outcome = usage.error()};
    *found = std::move(*usage);
    return host_answer{};
  }};
  auto promise = self->make_response_promise<inspect_report>();
  run_on(self, next_hand(self), std::move(job),
         [self, promise, found](const host_answer& x) mutable {
           if (x.outcome) {
             promise.deliver(to_caf_error(x.outcome));
             return;
           }
           take_changes(self, {found->info});
           const auto verdicts = retention_now(self);
           const auto verdict = verdicts.find(found->info.tag);
           const bool is_judged = verdict != verdicts.end();
           promise.deliver(inspect_report{
             .snapshot = found->info,
             .unique_bytes = found->unique_bytes,
             .disks = found->disks,
             .is_read = found->is_read,
             .is_due = is_judged && verdict->second.is_due,
             .retention = is_judged ? verdict->second.why : std::string{},
             .signature = found->signature,
             .contract = found->contract});
         });
  return promise;
}

} // namespace

caf::result<inspect_report> on_annotate(node_pointer self,
                                        const annotate_request& request) {
  if (auto epoch = uplink::obey(self, request.epoch); !epoch)
    return to_caf_error(epoch.error());
  if (!self->state.snapshots.contains(request.tag))
    return to_caf_error(ec::unknown_snapshot, request.tag.value);
  const auto change = label_change{.labels = request.labels,
                                   .dropped = request.dropped,
                                   .has_note = request.has_note,
                                   .note = request.note};
  if (auto good = check_change(change); !good)
    return to_caf_error(good.error());
  log::info("snapshot.annotated", {{"tag", request.tag}});
  return report(self, request.tag,
                [tag = request.tag, change](snapshot_store& store) -> status {
                  if (auto info = store.annotate(tag, change); !info)
                    return tl::unexpected(info.error());
                  return {};
                });
}

caf::result<inspect_report> on_inspect(node_pointer self,
                                       const inspect_request& request) {
  if (auto epoch = uplink::obey(self, request.epoch); !epoch)
    return to_caf_error(epoch.error());
  if (!self->state.snapshots.contains(request.tag))
    return to_caf_error(ec::unknown_snapshot, request.tag.value);
  return report(self, request.tag, [](snapshot_store&) { return status{}; });
}

} // namespace forkfleet::node_work
