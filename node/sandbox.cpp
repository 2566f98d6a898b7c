// SPDX-License-Identifier: Apache-2.0
#include "node/sandbox.hpp"

#include <utility>

#include "actors/harden.hpp"
#include "actors/log.hpp"
#include "node/branch_cleanup.hpp"
#include "node/console_ring.hpp"
#include "node/host_worker.hpp"
#include "node/limits/sandbox_cgroups.hpp"

namespace forkfleet {

namespace {

using self_ptr = sandbox_actor::stateful_pointer<sandbox_actor_state>;

/// What a worker may need beyond the branch's own deadline: resuming, and
/// draining what cannot be cancelled.
constexpr auto worker_grace = std::chrono::minutes{2};

/// How long one look at the VM, or its end, may take.
constexpr auto probe_limit = std::chrono::seconds{5};
constexpr auto stop_limit = std::chrono::seconds{20};
constexpr auto resume_limit = std::chrono::seconds{10};

/// A child may end as soon as it runs: the tool tells so after a second.
constexpr uint8_t early_look = 1;
constexpr auto early_look_after = std::chrono::milliseconds{800};

void tell_node(self_ptr self) {
  self->send(self->state.setup.node, self->state.setup.info);
}

void become(self_ptr self, sandbox_state state, std::string note) {
  auto& info = self->state.setup.info;
  if (info.state == state && info.note == note)
    return;
  info.state = state;
  info.note = std::move(note);
  tell_node(self);
}

/// What a HOST WORKER takes the time from, when it begins.
deadline_point limit_from(const caf::actor_clock& clock,
                          std::chrono::seconds limit) {
  return clock.now() + limit;
}

void branch_ended(self_ptr self, branch_outcome outcome) {
  auto& st = self->state;
  st.branching = {};
  st.last = std::move(outcome);
  const auto& report = st.last.report;
  if (!report.outcome) {
    ++st.setup.info.branches;
    tell_node(self);
  } else if (report.outcome.code == ec::guest_stuck) {
    become(self, sandbox_state::stuck, report.outcome.message);
  } else if (report.outcome.code == ec::vmm_gone) {
    become(self, sandbox_state::gone, report.outcome.message);
  }
  std::exchange(st.asked, {}).deliver(st.last);
}

/// Runs `work` as soon as nobody looks at the VM; the look is short. One that
/// still waits for its HOST WORKER is called off.
void when_free(self_ptr self, std::function<void()> work) {
  auto& st = self->state;
  if (st.look && st.look->test_and_set()) {
    st.after_look = std::move(work);
    return;
  }
  st.look = nullptr;
  work();
}

/// What a worker that died leaves to be done: the guest may stand still, and
/// what it staged must not stay.
void rescue(self_ptr self, const branch_request& request, const failure& why) {
  const auto& context = self->state.setup.branching;
  auto result = std::make_shared<branch_result>(branch_result{
    report_of_failed(context, request, {ec::interrupted, why.message}), {}});
  auto job = host_job{[context, result, clock = &self->home_system().clock()] {
    clean_up_branch(context, guest_after::may_stand,
                    limit_from(*clock, resume_limit), *result);
    if (auto kept = context.journal->close(result->report); !kept)
      result->report.warnings.push_back(to_string(kept.error()));
    return host_answer{};
  }};
  run_on(self, self->state.setup.hands, std::move(job),
         [self, result](const host_answer&) {
           branch_ended(
             self, {std::move(result->report), std::move(result->snapshot)});
         });
}

/// A worker that does not answer in time may still be at the VM: nobody else
/// gets the VM before it has ended.
void await_worker(self_ptr self, const snapshot_worker_actor& worker,
                  const branch_order& order, caf::timespan limit) {
  self->request(worker, limit, order)
    .then(
      [self, worker](branch_outcome& outcome) {
        self->send_exit(worker, caf::exit_reason::user_shutdown);
        branch_ended(self, std::move(outcome));
      },
      [self, worker, order](const caf::error& error) {
        const auto why = from_caf_error(error);
        const auto& request = order.request;
        if (why.code == ec::deadline_exceeded) {
          log::warn("branch.delayed", {{"branch", request.operation},
                                       {"source", request.sandbox}});
          return await_worker(self, worker, order, caf::timespan{worker_grace});
        }
        rescue(self, request, why);
      });
}

void start_branch(self_ptr self, const branch_order& order) {
  const auto& setup = self->state.setup;
  const auto asked = order.request.deadline;
  const auto allowed =
    asked.count() > 0 ? asked : setup.branching.policy.deadline;
  const auto worker = setup.make_worker(setup.branching);
  self->link_to(worker);
  await_worker(self, worker, order, caf::timespan{allowed + worker_grace});
}

/// Why nothing can be done with the VM now; none when something can.
failure obstacle(const sandbox_actor_state& st) {
  const auto& info = st.setup.info;
  if (!st.branching.empty())
    return {ec::branch_in_progress,
            info.id.value + " is being branched by " + st.branching.value};
  if (st.stopping)
    return {ec::not_ready, info.id.value + " is being stopped"};
  return {};
}

caf::result<branch_outcome> on_branch(self_ptr self,
                                      const branch_order& order) {
  auto& st = self->state;
  const auto& request = order.request;
  if (request.operation == st.last.report.operation)
    return st.last;
  const bool is_repeated = request.operation == st.branching;
  if (!is_repeated) {
    if (auto why = obstacle(st))
      return to_caf_error(why);
    if (st.setup.info.state == sandbox_state::gone)
      return to_caf_error(ec::vmm_gone,
                          request.sandbox.value + ": " + st.setup.info.note);
  }
  // Who asks again has given up the first answer.
  st.asked = self->make_response_promise<branch_outcome>();
  auto promise = st.asked;
  if (is_repeated)
    return promise;
  st.branching = request.operation;
  when_free(self, [self, order] { start_branch(self, order); });
  return promise;
}

using stop_promise = caf::typed_response_promise<done>;

void start_stop(self_ptr self, stop_promise promise) {
  auto job = host_job{[vmm = self->state.setup.branching.vmm,
                       clock = &self->home_system().clock()] {
    auto stopped = vmm->stop(limit_from(*clock, stop_limit));
    return host_answer{.outcome = stopped ? failure{} : stopped.error()};
  }};
  run_on(self, self->state.setup.hands, std::move(job),
         [self, promise](const host_answer& answer) mutable {
           self->state.stopping = false;
           if (answer.outcome) {
             promise.deliver(to_caf_error(answer.outcome));
             return;
           }
           become(self, sandbox_state::stopped, "by request");
           promise.deliver(done{"stopped"});
           self->quit();
         });
}

caf::result<done> on_stop(self_ptr self, const stop_request&) {
  auto& st = self->state;
  if (auto why = obstacle(st))
    return to_caf_error(why);
  st.stopping = true;
  auto promise = self->make_response_promise<done>();
  when_free(self, [self, promise] { start_stop(self, promise); });
  return promise;
}

/// Who asks has the VM from then on: nothing of ours is at work on it.
caf::result<host_answer> on_release(self_ptr self) {
  auto& st = self->state;
  if (auto why = obstacle(st))
    return to_caf_error(why);
  st.stopping = true;
  auto promise = self->make_response_promise<host_answer>();
  when_free(self, [self, promise]() mutable {
    promise.deliver(host_answer{.vmm = self->state.setup.branching.vmm});
    self->quit();
  });
  return promise;
}

void on_health(self_ptr self, vmm_health health, const std::string& trouble) {
  if (!self->state.branching.empty() || self->state.stopping)
    return;
  switch (health) {
    case vmm_health::running:
      return become(self, sandbox_state::running, {});
    case vmm_health::paused:
      return become(self, sandbox_state::paused, "paused by somebody else");
    case vmm_health::stuck:
      return become(self, sandbox_state::stuck, "its VMM does not answer");
    case vmm_health::gone:
      return become(self, sandbox_state::gone,
                    trouble.empty() ? "its VM ended by itself" : trouble);
    case vmm_health::no_space:
      return become(self, sandbox_state::paused, trouble);
  }
}

/// The look is over: what waited for it goes on.
void look_ended(self_ptr self, const host_answer& answer) {
  self->state.look = nullptr;
  if (!answer.outcome)
    on_health(self, answer.health, answer.text);
  if (auto work = std::exchange(self->state.after_look, nullptr))
    work();
}

/// What is wrong with it. A keeper may have been killed with its VM, and then
/// only their cgroup tells why.
std::string told_trouble(const vmm& vm, vmm_health health,
                         const std::string& cgroup) {
  auto text = vm.trouble();
  if (health != vmm_health::gone || cgroup.empty())
    return text;
  if (const auto why = killed_for_memory(cgroup); !why.empty())
    text += (text.empty() ? "" : "; ") + why;
  return text;
}

/// Looks at the VM unless somebody is at work on it.
void on_tick(self_ptr self, const tick& which) {
  auto& st = self->state;
  if (st.setup.info.state == sandbox_state::gone || st.stopping)
    return;
  if (which.which != early_look)
    self->delayed_send(self, caf::timespan{st.setup.probe_interval}, tick{});
  if (st.look || !st.branching.empty())
    return;
  st.look = std::make_shared<std::atomic_flag>();
  auto job = host_job{
    [vmm = st.setup.branching.vmm, look = st.look,
     clock = &self->home_system().clock(), console = st.setup.info.console,
     cgroup = st.setup.info.cgroup, keep = st.setup.console_bytes] {
      if (look->test_and_set())
        return host_answer{};
      const auto health = vmm->health(limit_from(*clock, probe_limit));
      // Its keeper does so, too; but that may have been killed.
      if (!console.empty() && keep > 0)
        static_cast<void>(trim_ring(console, keep).has_value());
      return host_answer{.health = health,
                         .text = told_trouble(*vmm, health, cgroup)};
    }};
  run_on(self, st.setup.hands, std::move(job),
         [self, look = st.look](const host_answer& answer) {
           if (self->state.look == look)
             look_ended(self, answer);
         });
}

} // namespace

sandbox_actor::behavior_type sandbox(self_ptr self, sandbox_setup setup) {
  harden(self);
  self->state.setup = std::move(setup);
  self->delayed_send(self, caf::timespan{self->state.setup.probe_interval},
                     tick{});
  if (self->state.setup.info.origin == sandbox_origin::restored)
    self->delayed_send(self, caf::timespan{early_look_after},
                       tick{.which = early_look});
  return {
    [self](const branch_order& order) { return on_branch(self, order); },
    [self](const stop_request& request) { return on_stop(self, request); },
    [self](const release_request&) { return on_release(self); },
    [self](const tick& x) { on_tick(self, x); },
  };
}

} // namespace forkfleet
