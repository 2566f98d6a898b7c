// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <utility>

#include "actors/log.hpp"
#include "node/host_worker.hpp"
#include "node/ledger/ledger.hpp"
#include "node/node_work.hpp"
#include "node/uplink.hpp"

namespace forkfleet::node_work {

namespace {

/// What is written durably has its name by then, on any disk.
constexpr auto young_min = milliseconds{5000};

/// A keeper ends this soon after its VM.
constexpr auto farewell_limit = std::chrono::seconds{30};
constexpr std::size_t departed_max = 4096;

using ledger_promise = caf::typed_response_promise<fsck_report>;

/// One look on its way from the NODE to its HOST WORKER and back.
struct fsck_run {
  fsck_request request = {};
  ledger_promise promise = {};
  std::shared_ptr<host_ledger> ledger = std::make_shared<host_ledger>();
  std::chrono::steady_clock::time_point begun = {};
};

status check(node_pointer self, const fsck_request& request) {
  auto& st = self->state;
  if (auto fine = uplink::obey(self, request.epoch); !fine)
    return fine;
  if (st.draining)
    return fail(ec::shutting_down, "this node is going down");
  if (!st.services.look_at_host || !st.services.repair_host)
    return fail(ec::unsupported, "this node cannot look at its host");
  if (st.fsck.is_running)
    return fail(ec::node_busy,
                "this node looks at its host already; ask again when it is "
                "done");
  return {};
}

void conclude(node_pointer self, fsck_run run, const failure& outcome) {
  auto& st = self->state;
  st.fsck.is_running = false;
  st.fsck.removing.clear();
  auto report = report_of(*run.ledger, run.request.all);
  report.host = st.settings.host;
  report.outcome = outcome;
  report.elapsed =
    std::chrono::duration_cast<microseconds>(self->clock().now() - run.begun);
  log::info("fsck.ended", {{"host", report.host},
                           {"outcome", report.outcome},
                           {"items", report.items.size()},
                           {"repaired", report.repaired}});
  for (const auto& x : report.items)
    if (!x.repair.empty())
      log::warn(
        "fsck.repaired",
        {{"where", x.where}, {"reason", x.reason}, {"repair", x.repair}});
  if (report.repaired > 0)
    uplink::tell(self, fleet_event{.at = st.services.wall(),
                                   .kind = "fsck.repaired",
                                   .host = report.host,
                                   .detail = std::to_string(report.repaired)
                                             + " things that nobody owned"});
  run.promise.deliver(std::move(report));
}

/// Leaves out what was begun since the look, and keeps the names of the rest.
bool hold_orphans(node_pointer self, host_ledger& ledger) {
  const auto now = owners_of(self);
  auto& removing = self->state.fsck.removing;
  for (auto& [thing, item] : ledger) {
    if (item.state != ledger_state::orphan)
      continue;
    if (now.sandboxes.contains(thing.name)
        || now.staging.contains(thing.name)) {
      item.state = ledger_state::young;
      item.reason = "it came into use during the look";
    } else {
      removing.insert(thing.name);
    }
  }
  return !removing.empty();
}

void on_looked(node_pointer self, fsck_run run, const failure& outcome) {
  auto& st = self->state;
  if (outcome || !run.request.repair || !hold_orphans(self, *run.ledger))
    return conclude(self, std::move(run), outcome);
  auto job = host_job{[repair = st.services.repair_host, ledger = run.ledger] {
    repair(*ledger);
    return host_answer{};
  }};
  run_on(self, st.fsck.hand, std::move(job),
         [self, run = std::move(run)](const host_answer& answer) {
           conclude(self, run, answer.outcome);
         });
}

} // namespace

ledger_owners owners_of(node_pointer self) {
  const auto& st = self->state;
  auto result = ledger_owners{.has_node = true};
  for (const auto& place : places_in_use(self))
    result.sandboxes.insert(place.value);
  for (const auto& [operation, order] : st.orders)
    result.staging.insert(operation.value);
  const auto long_ago = self->clock().now() - farewell_limit;
  for (const auto& [when, id] : st.fsck.departed)
    if (when > long_ago)
      result.sandboxes.insert(id.value);
  return result;
}

void note_departed(node_pointer self, const sandbox_id& id) {
  auto& departed = self->state.fsck.departed;
  const auto now = self->clock().now();
  departed.emplace_back(now, id);
  while (departed.front().first + farewell_limit < now
         || departed.size() > departed_max)
    departed.pop_front();
}

status check_repair(node_pointer self, const std::string& name) {
  if (self->state.fsck.removing.contains(name))
    return fail(ec::not_ready, "what nobody owns and is called " + name
                                 + " is being removed; ask again");
  return {};
}

caf::result<fsck_report> on_fsck(node_pointer self,
                                 const fsck_request& request) {
  auto& st = self->state;
  if (auto fine = check(self, request); !fine)
    return to_caf_error(fine.error());
  st.fsck.is_running = true;
  auto run = fsck_run{.request = request,
                      .promise = self->make_response_promise<fsck_report>(),
                      .begun = self->clock().now()};
  // What begins after this instant is young, whenever the worker has its turn.
  const auto times = ledger_times{.now = st.services.wall(),
                                  .young = std::max(request.young, young_min)};
  auto job = host_job{[look = st.services.look_at_host, times,
                       owners = owners_of(self), ledger = run.ledger] {
    auto found = look(owners, times);
    if (!found)
      return host_answer{.outcome = found.error()};
    *ledger = std::move(*found);
    return host_answer{};
  }};
  const auto promise = run.promise;
  run_on(self, st.fsck.hand, std::move(job),
         [self, run = std::move(run)](const host_answer& answer) {
           on_looked(self, run, answer.outcome);
         });
  return promise;
}

} // namespace forkfleet::node_work
