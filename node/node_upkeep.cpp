// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "actors/log.hpp"
#include "node/host_worker.hpp"
#include "node/node_work.hpp"
#include "node/uplink.hpp"

namespace forkfleet::node_work {

namespace {

/// What a HOST WORKER makes: the report, and the snapshot where it changed.
template <class Report>
struct upkeep_result {
  Report report = {};
  snapshot_info snapshot = {};
};

/// One request on its way through the upkeep's HOST WORKERs.
template <class Report>
struct upkeep_task {
  uint64_t epoch = 0;
  milliseconds deadline{0};
  Report report = {}; // as far as it is known before
  /// On the worker.
  std::function<failure(upkeep_result<Report>&, const stop_asked&)> work = {};
  /// In the NODE, when it went well.
  std::function<void(upkeep_result<Report>&)> then = {};
};

/// Gives a task to each worker that has none.
void pump(node_pointer self) {
  auto& upkeep = self->state.upkeep;
  while (!upkeep.queue.empty() && !upkeep.idle.empty()) {
    const auto hand = upkeep.idle.back();
    upkeep.idle.pop_back();
    const auto start = std::move(upkeep.queue.front());
    upkeep.queue.pop_front();
    start(hand);
  }
}

/// Why a request cannot be taken now.
status check(node_pointer self, uint64_t epoch) {
  auto& st = self->state;
  if (auto fine = uplink::obey(self, epoch); !fine)
    return fine;
  if (st.draining)
    return fail(ec::shutting_down, "this node is going down");
  if (st.upkeep.queue.size() >= upkeep_queue_max)
    return fail(ec::node_busy, std::to_string(upkeep_queue_max)
                                 + " flattens, verifications and archives "
                                   "wait for their turn");
  return {};
}

/// The work as a job that ends by its deadline, or when the node does.
template <class Report>
host_job make_job(node_pointer self, const upkeep_task<Report>& task,
                  std::shared_ptr<upkeep_result<Report>> result) {
  const auto& st = self->state;
  const auto allowed =
    task.deadline.count() > 0 ? task.deadline : st.settings.branch.deadline;
  const auto* clock = &self->home_system().clock();
  const auto until = clock->now() + allowed;
  const auto stop = [clock, until, is_ending = st.upkeep.is_ending] {
    return *is_ending || clock->now() >= until;
  };
  return {[work = task.work, result, clock, until, stop] {
    const auto begun = clock->now();
    auto outcome = stop() ? failure{ec::interrupted, "its turn did not come"}
                          : work(*result, stop);
    const auto ended = clock->now();
    if (outcome.code == ec::interrupted && ended >= until)
      outcome.code = ec::deadline_exceeded;
    if constexpr (!std::is_same_v<Report, done>)
      result->report.elapsed =
        std::chrono::duration_cast<microseconds>(ended - begun);
    return host_answer{.outcome = outcome};
  }};
}

/// What never started ends in an error, what did in a report.
template <class Report>
void deliver(caf::typed_response_promise<Report>& promise, Report& report,
             const failure& outcome) {
  const bool is_report =
    !std::is_same_v<Report,
                    done> && group_of(outcome.code) != ec_group::fix_request;
  if (outcome && !is_report) {
    promise.deliver(to_caf_error(outcome));
    return;
  }
  if constexpr (!std::is_same_v<Report, done>)
    report.outcome = outcome;
  promise.deliver(report);
}

template <class Report>
caf::result<Report> run(node_pointer self, upkeep_task<Report> task) {
  if (auto fine = check(self, task.epoch); !fine)
    return to_caf_error(fine.error());
  auto result = std::make_shared<upkeep_result<Report>>();
  result->report = task.report;
  auto promise = self->make_response_promise<Report>();
  auto finish = [self, promise, result,
                 then = std::move(task.then)](const failure& outcome) mutable {
    if (!outcome)
      then(*result);
    deliver(promise, result->report, outcome);
  };
  auto job = make_job(self, task, result);
  self->state.upkeep.queue.push_back([self, job = std::move(job),
                                      finish = std::move(finish)](
                                       const host_worker_actor& hand) {
    run_on(self, hand, job, [self, hand, finish](const host_answer& x) mutable {
      self->state.upkeep.idle.push_back(hand);
      finish(x.outcome);
      pump(self);
    });
  });
  pump(self);
  return promise;
}

/// Something was done with a snapshot of this node.
void note(node_pointer self, const char* kind, const snapshot_tag& tag,
          std::string detail) {
  const auto& st = self->state;
  log::info(kind, {{"tag", tag}, {"detail", detail}});
  uplink::tell(self, fleet_event{.at = st.services.wall(),
                                 .kind = kind,
                                 .host = st.settings.host,
                                 .tag = tag,
                                 .detail = std::move(detail)});
}

using archive_finder = decltype(node_services::find_archive);

/// The whole path of an archive; on a HOST WORKER.
expected<std::string> archive_path(const archive_finder& find,
                                   const std::string& name) {
  if (!is_archive_name(name))
    return fail(ec::invalid_request, "no name of an archive");
  if (!find)
    return fail(ec::unsupported, "this node has no directory of archives");
  return find(name);
}

failure outcome_of(const status& x) {
  return x ? failure{} : x.error();
}

/// Takes what the store says of an archive.
failure take_archive(upkeep_result<archive_report>& result,
                     expected<archive_result> x) {
  if (!x)
    return x.error();
  auto& report = result.report;
  report.tag = x->info.tag;
  report.file = x->path;
  report.bytes = x->info.memory_bytes;
  report.stored_bytes = x->bytes;
  result.snapshot = std::move(x->info);
  return {};
}

} // namespace

caf::result<done> on_flatten(node_pointer self,
                             const flatten_request& request) {
  auto& known = self->state.snapshots;
  const auto found = known.find(request.tag);
  if (found == known.end())
    return to_caf_error(ec::unknown_snapshot, request.tag.value);
  const auto note_text = found->second.depth == 0 ? "it was flat before" : "";
  auto all = std::make_shared<std::vector<snapshot_info>>();
  return run<done>(
    self, {.epoch = request.epoch,
           .deadline = request.deadline,
           .report = {note_text},
           .work =
             [store = self->state.services.store, tag = request.tag,
              all](upkeep_result<done>&, const stop_asked& stop) {
               const auto outcome = outcome_of(store->flatten(tag, stop));
               *all = store->list();
               return outcome;
             },
           .then =
             [self, tag = request.tag, all](upkeep_result<done>&) {
               take_changes(self, *all);
               note(self, "snapshot.flattened", tag, {});
             }});
}

caf::result<verify_report> on_verify(node_pointer self,
                                     const verify_request& request) {
  if (!self->state.snapshots.contains(request.tag))
    return to_caf_error(ec::unknown_snapshot, request.tag.value);
  return run<verify_report>(
    self, {.epoch = request.epoch,
           .deadline = request.deadline,
           .report = {.tag = request.tag, .host = self->state.settings.host},
           .work =
             [store = self->state.services.store, tag = request.tag](
               upkeep_result<verify_report>& result, const stop_asked& stop) {
               const auto found = store->verify(tag, stop);
               if (!found)
                 return found.error();
               result.report.bytes = found->bytes;
               result.report.hashes = found->hashes;
               return failure{};
             },
           .then =
             [self](upkeep_result<verify_report>& result) {
               note(self, "snapshot.verified", result.report.tag,
                    std::to_string(result.report.hashes) + " hashes");
             }});
}

caf::result<archive_report> on_export(node_pointer self,
                                      const export_request& request) {
  if (!self->state.snapshots.contains(request.tag))
    return to_caf_error(ec::unknown_snapshot, request.tag.value);
  return run<archive_report>(
    self, {.epoch = request.epoch,
           .deadline = request.deadline,
           .report = {.tag = request.tag, .host = self->state.settings.host},
           .work =
             [store = self->state.services.store,
              find = self->state.services.find_archive, tag = request.tag,
              file = request.file](upkeep_result<archive_report>& result,
                                   const stop_asked& stop) {
               const auto path = archive_path(find, file);
               if (!path)
                 return path.error();
               result.report.file = *path;
               return take_archive(result, store->export_to(tag, *path, stop));
             },
           .then =
             [self](upkeep_result<archive_report>& result) {
               note(self, "snapshot.exported", result.report.tag,
                    result.report.file);
             }});
}

caf::result<archive_report> on_import(node_pointer self,
                                      const import_request& request) {
  if (self->state.snapshots.contains(request.tag))
    return to_caf_error(ec::snapshot_exists, request.tag.value);
  return run<archive_report>(
    self,
    {.epoch = request.epoch,
     .deadline = request.deadline,
     .report = {.tag = request.tag, .host = self->state.settings.host},
     .work =
       [store = self->state.services.store,
        find = self->state.services.find_archive, request](
         upkeep_result<archive_report>& result, const stop_asked& stop) {
         const auto path = archive_path(find, request.file);
         if (!path)
           return path.error();
         auto& report = result.report;
         report.file = *path;
         auto contents = store->look_into(*path);
         if (!contents)
           return contents.error();
         report.signature = std::move(contents->signature);
         report.contract = std::move(contents->contract);
         return take_archive(
           result,
           store->import_from(*path, request.tag, stop,
                              {request.accept_unsigned, request.trusted_key}));
       },
     .then =
       [self](upkeep_result<archive_report>& result) {
         self->state.snapshots[result.snapshot.tag] = result.snapshot;
         uplink::tell(self, result.snapshot);
         note(self, "snapshot.imported", result.report.tag, result.report.file);
         count_load(self);
       }});
}

caf::result<compare_report> on_compare(node_pointer self,
                                       const compare_request& request) {
  const auto& known = self->state.snapshots;
  for (const auto& tag : {request.tag, request.other})
    if (!known.contains(tag))
      return to_caf_error(ec::unknown_snapshot, tag.value);
  return run<compare_report>(
    self, {.epoch = request.epoch,
           .deadline = request.deadline,
           .report = {.tag = request.tag,
                      .other = request.other,
                      .host = self->state.settings.host},
           .work =
             [store = self->state.services.store, request](
               upkeep_result<compare_report>& result, const stop_asked& stop) {
               auto found = store->compare(request.tag, request.other, stop);
               if (!found)
                 return found.error();
               auto& report = result.report;
               report.memory_bytes = found->memory_bytes;
               report.pages = found->pages;
               report.bytes = found->pages * guest_page_bytes;
               report.runs = found->runs;
               report.shared_bytes = found->shared_bytes;
               report.read_bytes = found->read_bytes;
               report.table = std::move(found->table);
               report.disk_bytes = found->disk_bytes;
               return failure{};
             },
           .then = [](upkeep_result<compare_report>&) {}});
}

void stop_upkeep(node_pointer self) {
  *self->state.upkeep.is_ending = true;
}

} // namespace forkfleet::node_work
