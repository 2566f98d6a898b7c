// SPDX-License-Identifier: Apache-2.0
#include "node/branch_run.hpp"

#include <algorithm>
#include <string>
#include <tuple>
#include <utility>

#include "node/branch_capture.hpp"
#include "node/branch_cleanup.hpp"
#include "node/branch_record.hpp"

namespace forkfleet {

namespace {

/// A guest that did not resume is asked for at least this long.
constexpr auto resume_patience = std::chrono::seconds{10};

/// So often is it asked.
constexpr int resume_attempts = 3;

/// One branch under way.
class branch_under_way {
public:
  branch_under_way(const branch_context& context, const branch_request& request)
    : context_{context}, request_{request}, record_{context, request},
      capture_{context, request, record_} {}

  branch_result run() {
    record_.tell("branch.started");
    if (admit() && reserve() && track()) {
      stand_still();
      if (!record_.has_failed() && drain())
        seal();
    }
    conclude();
    return {std::move(record_.report()), std::move(snapshot_)};
  }

private:
  using clock_point = branch_record::clock_point;

  template <class Action>
  bool calm(stage which, Action action) {
    return record_.calm(which, context_.now(), std::move(action));
  }

  bool admit() {
    // The wait for a slot began when the node took the request.
    return record_.calm(stage::admit, context_.arrival,
                        [this] { return capture_.choose(); });
  }

  bool reserve() {
    return calm(stage::reserve, [this]() -> status {
      record_.report().memory_bytes = context_.vmm->describe().memory_bytes;
      if (auto intent = context_.journal->open(request_); !intent)
        return intent;
      is_journaled_ = true;
      return capture_.open();
    });
  }

  bool track() {
    return calm(stage::track, [this] { return capture_.approach(); });
  }

  /// The pause window. Nothing is opened, written, synced or said in it, and
  /// resume is tried whatever happened: the lost answer of a failed pause may
  /// hide a paused guest.
  void stand_still() {
    const auto [start, runs] = pass_window();
    auto& pause = record_.report().pause;
    pause = record_.since(start);
    // The guest may have run on for a part of the window, or for all of it.
    if (const auto stood = context_.vmm->stood())
      pause = std::min(pause, *stood);
    // A guest that may still stand is the first care of the next life.
    if (runs)
      note_mark(context_.journal->mark_pause(request_.operation, false));
    record_.tell_stages(stage::pause);
  }

  std::pair<clock_point, bool> pass_window() {
    auto& vmm = *context_.vmm;
    const auto mark = pause_mark{context_.gate.get()};
    const auto start = context_.now();
    const auto limit = start + context_.policy.pause_max;
    std::ignore = fault_point("stage.pause");
    if (record_.timed(stage::pause, start, [&] { return vmm.pause(limit); })) {
      std::ignore = fault_point("stage.capture");
      record_.timed(stage::capture, context_.now(),
                    [&] { return vmm.capture(limit); });
    }
    std::ignore = fault_point("stage.resume");
    const auto resume_start = context_.now();
    const bool runs = record_.timed(stage::resume, resume_start, [&] {
      return resume_guest(std::max(limit, resume_start + resume_patience));
    });
    return {start, runs};
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
      record_.warn("the journal could not note the resume: "
                   + mark.error().message);
  }

  bool drain() {
    return calm(stage::drain, [this]() -> status {
      auto captured = context_.vmm->drain(record_.until());
      if (!captured)
        return tl::unexpected(captured.error());
      take(std::move(*captured));
      return {};
    });
  }

  void take(capture_result captured) {
    auto& report = record_.report();
    report.method = captured.method;
    record_.explain(captured.reason);
    report.vmm_pause = captured.vmm_pause;
    report.written_bytes = captured.written_bytes;
    report.vmstate_bytes = captured.vmstate_bytes;
    report.residual_bytes = captured.residual_bytes;
    report.passes = std::max(report.passes, captured.passes);
    disks_ = std::move(captured.disks);
    for (auto& warning : captured.warnings)
      record_.warn(std::move(warning));
  }

  bool seal() {
    return calm(stage::seal, [this]() -> status {
      // From here on it is too late to cancel it.
      if (context_.cancel && !context_.cancel->pass())
        return record_.check_cancel();
      const auto& report = record_.report();
      auto words = changed({}, {request_.labels, {}, true, request_.note});
      if (!words)
        return tl::unexpected(words.error());
      auto sealed = context_.store->seal({.operation = request_.operation,
                                          .tag = request_.tag,
                                          .source = request_.sandbox,
                                          .parent = context_.parent,
                                          .mode = report.mode,
                                          .method = report.method,
                                          .memory_bytes = report.memory_bytes,
                                          .vmstate_bytes = report.vmstate_bytes,
                                          .contract = context_.vmm->contract(),
                                          .limits = context_.limits,
                                          .disks = std::move(disks_),
                                          .words = std::move(*words)},
                                         capture_.files());
      if (!sealed)
        return tl::unexpected(sealed.error());
      snapshot_ = std::move(*sealed);
      record_.report().root_hash = snapshot_.root_hash;
      capture_.commit(snapshot_.root_hash);
      return {};
    });
  }

  void conclude() {
    auto& report = record_.report();
    capture_.close();
    if (report.outcome)
      capture_.note_missing();
    if (report.outcome && is_journaled_)
      clean_up();
    report.total = record_.since(context_.arrival);
    std::ignore = fault_point("stage.report");
    keep_report();
    if (!snapshot_.tag.empty())
      record_.tell("snapshot.sealed", snapshot_.root_hash, report.pause);
    record_.tell("branch.ended", to_string(report.outcome), report.total);
  }

  /// Resuming was tried where it was paused.
  void clean_up() {
    auto result = branch_result{std::move(record_.report()), {}};
    clean_up_branch(context_, guest_after::runs, record_.until(), result);
    record_.report() = std::move(result.report);
    snapshot_ = std::move(result.snapshot);
  }

  /// A cancelled one must answer the same after this node's death, even when
  /// it had not begun.
  void keep_report() {
    auto& report = record_.report();
    if (!is_journaled_ && report.outcome.code == ec::cancelled)
      is_journaled_ = context_.journal->open(request_).has_value();
    if (!is_journaled_)
      return;
    if (auto kept = context_.journal->close(report); !kept)
      record_.warn("the journal could not keep this report: "
                   + kept.error().message);
  }

  const branch_context& context_;
  const branch_request& request_;
  branch_record record_;
  branch_capture capture_;
  snapshot_info snapshot_ = {};
  std::vector<frozen_disk> disks_ = {};
  bool is_journaled_ = false; // the journal has an open entry
};

} // namespace

branch_result run_branch(const branch_context& context,
                         const branch_request& request) {
  return branch_under_way{context, request}.run();
}

} // namespace forkfleet
