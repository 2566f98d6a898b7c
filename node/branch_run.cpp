// SPDX-License-Identifier: Apache-2.0
#include "node/branch_run.hpp"

#include <algorithm>
#include <string>
#include <tuple>
#include <utility>

#include "actors/fault.hpp"

namespace forkfleet {

namespace {

using std::chrono::duration_cast;

/// A guest that did not resume is asked for at least this long.
constexpr auto resume_patience = std::chrono::seconds{10};

/// So often is it asked.
constexpr int resume_attempts = 3;

/// Room for device state when it is reserved.
constexpr uint64_t vmstate_guess = 4ull << 20;

/// One branch under way.
class branch_under_way {
public:
  branch_under_way(const branch_context& context, const branch_request& request)
    : context_{context}, request_{request} {
    report_.stages.reserve(8); // no allocation in the pause window
    report_.operation = request.operation;
    report_.sandbox = request.sandbox;
    report_.tag = request.tag;
    report_.host = context.host;
    report_.mode = request.mode;
    report_.started_at = context.wall() - since(context.arrival);
    const auto allowed =
      request.deadline.count() > 0 ? request.deadline : context.policy.deadline;
    until_ = context.arrival + allowed;
  }

  branch_result run() {
    tell("branch.started", {}, {}, {});
    if (admit() && reserve() && track()) {
      stand_still();
      if (!report_.outcome)
        drain();
      if (!report_.outcome)
        seal();
    }
    conclude();
    return {std::move(report_), std::move(snapshot_)};
  }

private:
  using clock_point = std::chrono::steady_clock::time_point;

  microseconds since(clock_point start) const {
    return duration_cast<microseconds>(context_.now() - start);
  }

  /// Keeps the first error; guest_stuck outranks all.
  void note(const failure& error) {
    if (!report_.outcome || error.code == ec::guest_stuck)
      report_.outcome = error;
  }

  void tell(std::string kind, std::string stage_name, microseconds elapsed,
            std::string detail) const {
    context_.tell({.at = context_.wall(),
                   .kind = std::move(kind),
                   .host = context_.host,
                   .sandbox = request_.sandbox,
                   .tag = request_.tag,
                   .operation = request_.operation,
                   .stage = std::move(stage_name),
                   .elapsed = elapsed,
                   .detail = std::move(detail)});
  }

  void tell_stage(const stage_timing& timing) const {
    tell("stage.ended", to_string(timing.which), timing.elapsed, {});
  }

  /// Runs one stage, notes its time, keeps the first error. Says nothing to
  /// anybody: it also serves the pause window.
  template <class Action>
  bool timed(stage which, clock_point start, Action action) {
    const status done = action();
    report_.stages.push_back(
      {which, duration_cast<microseconds>(start - context_.arrival),
       since(start)});
    if (!done)
      note(done.error());
    return done.has_value();
  }

  /// Runs a stage outside the pause window.
  template <class Action>
  bool calm(stage which, Action action) {
    const auto fault = fault_point("stage." + to_string(which));
    const bool done = timed(which, context_.now(), [&]() -> status {
      return fault ? action() : fault;
    });
    tell_stage(report_.stages.back());
    return done;
  }

  bool admit() {
    // The wait for a slot began when the node took the request.
    const auto fault = fault_point("stage.admit");
    const bool done =
      timed(stage::admit, context_.arrival, [this, &fault]() -> status {
        return fault ? choose_mode() : fault;
      });
    tell_stage(report_.stages.back());
    return done;
  }

  status choose_mode() {
    const auto allowed = context_.vmm->capabilities(until_);
    if (!allowed)
      return tl::unexpected(allowed.error());
    plan_.operation = request_.operation;
    plan_.pause_max = context_.policy.pause_max;
    auto wanted = request_.mode;
    if (wanted == branch_mode::automatic)
      wanted = context_.policy.mode;
    if (wanted == branch_mode::automatic) {
      wanted = allowed->live ? branch_mode::live : branch_mode::full;
      if (!allowed->live)
        report_.warnings.push_back("full instead of live: "
                                   + allowed->live_obstacle);
    }
    report_.mode = wanted;
    plan_.mode = wanted;
    if (wanted == branch_mode::live && !allowed->live)
      return fail(ec::unsupported, "live: " + allowed->live_obstacle);
    if (wanted == branch_mode::full && !allowed->full)
      return fail(ec::unsupported, "this VM cannot be copied while stopped");
    return {};
  }

  bool reserve() {
    return calm(stage::reserve, [this]() -> status {
      if (auto intent = context_.journal->open(request_); !intent)
        return intent;
      journaled_ = true;
      report_.memory_bytes = context_.vmm->describe().memory_bytes;
      auto staged = context_.store->stage({.operation = request_.operation,
                                           .tag = request_.tag,
                                           .memory_bytes = report_.memory_bytes,
                                           .vmstate_bytes = vmstate_guess,
                                           .policy = context_.policy.reserve});
      note_reservation(staged ? (*staged)->reserved()
                              : staged.error().reserved);
      if (!staged)
        return tl::unexpected(staged.error().error);
      staging_ = std::move(*staged);
      plan_.memory = &staging_->memory();
      plan_.vmstate_fd = staging_->vmstate_fd();
      return {};
    });
  }

  void note_reservation(const reservation& x) {
    report_.reserve = x.outcome;
    report_.reserved_bytes = x.reserved_bytes;
    report_.missing_bytes = x.missing_bytes;
    report_.file_system = x.file_system;
    if (x.outcome == reserve_outcome::unsupported)
      report_.warnings.push_back(x.file_system
                                 + " cannot reserve space: a full disk shows "
                                   "only after the pause");
  }

  bool track() {
    return calm(stage::track, [this]() -> status {
      prepared_ = true;
      const auto ready = context_.vmm->prepare(plan_, until_);
      if (!ready)
        return tl::unexpected(ready.error());
      if (context_.now() >= until_)
        return fail(ec::deadline_exceeded,
                    "before the pause; the guest never stood still");
      return context_.journal->mark_pause(request_.operation, true);
    });
  }

  /// The pause window. Nothing is opened, written, synced or said in it, and
  /// resume is tried whatever happened: the lost answer of a failed pause may
  /// hide a paused guest.
  void stand_still() {
    auto& vmm = *context_.vmm;
    const auto mark = pause_mark{context_.gate.get()};
    const auto start = context_.now();
    const auto limit = start + context_.policy.pause_max;
    std::ignore = fault_point("stage.pause");
    if (timed(stage::pause, start, [&] { return vmm.pause(limit); })) {
      std::ignore = fault_point("stage.capture");
      timed(stage::capture, context_.now(), [&] { return vmm.capture(limit); });
    }
    std::ignore = fault_point("stage.resume");
    const auto resume_start = context_.now();
    const bool runs = timed(stage::resume, resume_start, [&] {
      return resume_guest(std::max(limit, resume_start + resume_patience));
    });
    report_.pause = since(start);
    // A guest that may still stand is the first care of the next life.
    if (runs)
      note_mark(context_.journal->mark_pause(request_.operation, false));
    for (const auto& timing : report_.stages)
      if (timing.which >= stage::pause)
        tell_stage(timing);
  }

  /// Does not take the first no for an answer. What is left after that is a
  /// guest that stands still, whatever the driver calls it.
  status resume_guest(clock_point until) {
    auto resumed = context_.vmm->resume(until);
    for (int attempt = 1; attempt < resume_attempts && !resumed; ++attempt) {
      if (resumed.error().code == ec::vmm_gone)
        return resumed;
      resumed = context_.vmm->resume(until);
    }
    if (!resumed && resumed.error().code != ec::vmm_gone)
      return fail(ec::guest_stuck, to_string(resumed.error()));
    return resumed;
  }

  void note_mark(const status& mark) {
    if (!mark)
      report_.warnings.push_back("the journal could not note the resume: "
                                 + mark.error().message);
  }

  bool drain() {
    return calm(stage::drain, [this]() -> status {
      auto captured = context_.vmm->drain(until_);
      if (!captured)
        return tl::unexpected(captured.error());
      prepared_ = false;
      report_.method = captured->method;
      report_.reason = captured->reason;
      report_.vmm_pause = captured->vmm_pause;
      if (captured->stood.count() > 0)
        report_.pause = std::min(report_.pause, captured->stood);
      report_.written_bytes = captured->written_bytes;
      report_.vmstate_bytes = captured->vmstate_bytes;
      for (auto& warning : captured->warnings)
        report_.warnings.push_back(std::move(warning));
      return {};
    });
  }

  bool seal() {
    return calm(stage::seal, [this]() -> status {
      auto sealed =
        context_.store->seal({.operation = request_.operation,
                              .tag = request_.tag,
                              .source = request_.sandbox,
                              .parent = context_.parent,
                              .mode = report_.mode,
                              .method = report_.method,
                              .memory_bytes = report_.memory_bytes,
                              .vmstate_bytes = report_.vmstate_bytes,
                              .contract = context_.vmm->contract()},
                             *staging_);
      if (!sealed)
        return tl::unexpected(sealed.error());
      snapshot_ = std::move(*sealed);
      report_.root_hash = snapshot_.root_hash;
      context_.vmm->commit(snapshot_.root_hash);
      return {};
    });
  }

  void conclude() {
    if (prepared_)
      context_.vmm->abandon();
    staging_.reset();
    if (report_.outcome && journaled_)
      context_.store->discard(request_.operation);
    report_.total = since(context_.arrival);
    std::ignore = fault_point("stage.report");
    if (journaled_)
      if (auto kept = context_.journal->close(report_); !kept)
        report_.warnings.push_back("the journal could not keep this report: "
                                   + kept.error().message);
    if (!snapshot_.tag.empty())
      tell("snapshot.sealed", {}, {}, snapshot_.root_hash);
    tell("branch.ended", {}, report_.total, to_string(report_.outcome));
  }

  const branch_context& context_;
  const branch_request& request_;
  branch_report report_ = {};
  snapshot_info snapshot_ = {};
  clock_point until_ = {};
  capture_plan plan_ = {};
  staging_ptr staging_ = {};
  bool journaled_ = false; // the journal has an open entry
  bool prepared_ = false;  // the driver holds a capture in progress
};

} // namespace

branch_result run_branch(const branch_context& context,
                         const branch_request& request) {
  return branch_under_way{context, request}.run();
}

} // namespace forkfleet
