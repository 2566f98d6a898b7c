// SPDX-License-Identifier: Apache-2.0
#include "node/qemu/qemu_vmm.hpp"

#include <algorithm>
#include <poll.h>
#include <utility>

#include <fmt/format.h>

#include "node/qemu/disk_space.hpp"
#include "node/qemu/guest_status.hpp"
#include "node/qemu/keeper_watch.hpp"
#include "node/qemu/vm_end.hpp"
#include "node/qemu/vm_record.hpp"

namespace forkfleet::qemu {

namespace {

using std::chrono::steady_clock;

constexpr auto keeper_patience = std::chrono::seconds{2};
constexpr auto quit_patience = std::chrono::seconds{2};
constexpr auto term_patience = std::chrono::seconds{2};
constexpr int resume_interval_ms = 2;

// After a background snapshot that was too slow, so many branches less one take
// another way.
constexpr int slow_branches_max = 4;

// So long an estimate may rest on what the last look found.
constexpr auto look_age_max = std::chrono::seconds{1};

memory_place place_of(const qemu_vmm_parts& x) {
  return {.directory = x.directory,
          .bytes = x.contract.memory_bytes,
          .path = x.memory_path,
          .begin = x.memory_begin,
          .origin = x.origin,
          .attached = x.attached,
          .survey = {.memory_block = x.memory_block,
                     .child_arguments = x.child_arguments,
                     .attached = x.attached}};
}

} // namespace

qemu_vmm::qemu_vmm(qemu_vmm_parts parts)
  : parts_{std::move(parts)}, tracking_{place_of(parts_)},
    layers_{*parts_.qmp, parts_.has_layers ? parts_.directory : ""},
    pauses_{parts_.pauses} {}

qemu_vmm::~qemu_vmm() {
  abandon();
}

expected<vmm_capabilities> qemu_vmm::capabilities(deadline_point until) {
  if (auto looked = look(until); !looked)
    return tl::unexpected(looked.error());
  // The guest may have become quieter since.
  if (slow_branches_ > 0)
    --slow_branches_;
  const auto facts = qemu_vmm::facts();
  const bool is_tracked = facts.tracking_obstacle.empty();
  if (!facts.refusal.empty())
    return vmm_capabilities{.full_obstacle = facts.refusal,
                            .diff_obstacle = facts.refusal,
                            .live_obstacle = facts.refusal};
  auto result = vmm_capabilities{
    .full = true,
    .diff = true,
    .live = true,
    .full_is_tracked = is_tracked,
    .diff_is_tracked = is_tracked || facts.page_map_obstacle.empty()};
  if (const auto live =
        choose_method(facts, branch_mode::live, capture_scope::all, {});
      !live) {
    result.live = false;
    result.live_obstacle = live.error().message;
  }
  return result;
}

// The first look of a node at its VM, or again at what may have changed.
status qemu_vmm::look(deadline_point until) {
  if (auto ready = parts_.qmp->ensure_connected(until); !ready)
    return ready;
  auto looked = tracking_.look(
    *parts_.qmp, parts_.keeper ? &*parts_.keeper : nullptr, until);
  if (looked)
    looked_ = steady_clock::now();
  return looked;
}

vmm_health qemu_vmm::health(deadline_point until) {
  trouble_.clear();
  const auto state = query_guest(*parts_.qmp, until);
  if (state) {
    const auto why = want_of_space(*state, until);
    trouble_ = why.message;
    return why ? see_to_space(until) : health_of(*state);
  }
  if (state.error().code != ec::vmm_gone)
    return vmm_health::stuck;
  // The keeper writes down how it ended, and leaves.
  if (parts_.keeper)
    static_cast<void>(
      parts_.keeper->wait_for_end(steady_clock::now() + keeper_patience)
        .has_value());
  trouble_ = describe_end({.shutdown = parts_.qmp->shutdown(),
                           .directory = parts_.directory,
                           .process = parts_.qmp->process()});
  return vmm_health::gone;
}

// disk_full when the guest stands because its layers found no space; none for
// every other reason, and for disks that are not ours to judge.
failure qemu_vmm::want_of_space(const std::string& state,
                                deadline_point until) {
  if (!parts_.has_layers || state != disk_failed_state
      || !lacks_space(*parts_.qmp, until).value_or(false))
    return {};
  const auto missing = missing_space(parts_.directory);
  return {ec::disk_full, space_text(parts_.directory, missing.value_or(0))};
}

// With space enough the guest goes on; QEMU repeats the write that failed.
vmm_health qemu_vmm::see_to_space(deadline_point until) {
  if (missing_space(parts_.directory).value_or(1) > 0)
    return vmm_health::no_space;
  static_cast<void>(parts_.qmp->execute("cont", until).has_value());
  const auto state = query_guest(*parts_.qmp, until);
  if (!state || health_of(*state) != vmm_health::running)
    return vmm_health::no_space;
  trouble_.clear();
  return vmm_health::running;
}

expected<capture_estimate> qemu_vmm::estimate(const capture_plan& plan,
                                              deadline_point until) {
  // `prepare` looks again, after this.
  if (!parts_.qmp->is_connected()
      || steady_clock::now() - looked_ > look_age_max)
    if (auto looked = look(until); !looked)
      return tl::unexpected(looked.error());
  auto choice =
    choose_method(facts(), plan.mode, plan.scope, plan.base.root_hash);
  if (!choice)
    return tl::unexpected(choice.error());
  return capture_estimate{.method = std::string{name_of(choice->kind)},
                          .reason = std::move(choice->reason),
                          .bytes = tracking_.bytes_of(plan.scope)};
}

expected<capture_forecast> qemu_vmm::prepare(const capture_plan& plan,
                                             deadline_point until) {
  abandon();
  warnings_.clear();
  pause_max_ = plan.pause_max;
  if (auto ready = check_guest(until); !ready)
    return tl::unexpected(ready.error());
  if (auto ready = layers_.prepare(plan.is_cancelled, until); !ready)
    return tl::unexpected(ready.error());
  if (auto kept = see_to_keeper(parts_.keeper, parts_.replacement, warnings_);
      !kept)
    return tl::unexpected(kept.error());
  if (auto looked = look(until); !looked)
    return tl::unexpected(looked.error());
  auto choice =
    choose_method(facts(), plan.mode, plan.scope, plan.base.root_hash);
  if (!choice)
    return tl::unexpected(choice.error());
  reason_ = std::move(choice->reason);
  used_ = choice->kind;
  method_ = make_method(choice->kind);
  if (auto prepared = method_->prepare(plan, until); !prepared) {
    abandon();
    return tl::unexpected(prepared.error());
  }
  return method_->forecast();
}

expected<capture_forecast> qemu_vmm::refine(deadline_point until) {
  if (!method_)
    return fail(ec::invalid_request, "refine without prepare");
  if (auto refined = method_->refine(until); !refined)
    return tl::unexpected(refined.error());
  return method_->forecast();
}

status qemu_vmm::check_guest(deadline_point until) {
  const auto state = query_guest(*parts_.qmp, until);
  if (!state)
    return tl::unexpected(state.error());
  if (const auto why = want_of_space(*state, until))
    return tl::unexpected(why);
  if (health_of(*state) != vmm_health::running)
    return fail(ec::vmm_refused,
                fmt::format("{}: the guest does not run, it is {}; resume it "
                            "first",
                            parts_.qmp->path(), *state));
  return {};
}

// A background snapshot lets the guest run on by itself, before its disks
// could be frozen.
method_facts qemu_vmm::facts() const {
  auto result = tracking_.facts();
  if (parts_.has_layers && result.background_obstacle.empty())
    result.background_obstacle =
      "its writable disks are frozen while the guest stands";
  if (slow_branches_ > 0 && result.background_obstacle.empty())
    result.background_obstacle =
      "QEMU was too slow to send the memory of the last one";
  return result;
}

capture_context qemu_vmm::context() {
  return {.qmp = *parts_.qmp,
          .keeper = parts_.keeper ? &*parts_.keeper : nullptr,
          .arenas = *parts_.arenas,
          .model = model_,
          .pauses = pauses_,
          .tracker = tracking_.tracker(),
          .warnings = warnings_,
          .memory_bytes = parts_.contract.memory_bytes,
          .memory_block = parts_.memory_block,
          .memory_path = parts_.memory_path,
          .memory_begin = tracking_.memory_begin(),
          .takes_input = tracking_.takes_input(),
          .machine_type = parts_.contract.machine};
}

std::unique_ptr<capture_method> qemu_vmm::make_method(method_kind kind) {
  switch (kind) {
    case method_kind::tracked:
      return make_tracked_capture(context());
    case method_kind::page_map:
      return make_page_map_capture(context());
    case method_kind::background:
      return make_background_capture(context());
    case method_kind::stopped_copy:
      return make_copy_capture(context());
    case method_kind::stopped_send:
      break;
  }
  return make_send_capture(context());
}

status qemu_vmm::pause(deadline_point until) {
  stood_ = std::chrono::microseconds{0};
  if (!method_)
    return fail(ec::invalid_request, "pause without prepare");
  pauses_.begin();
  if (parts_.keeper)
    if (auto begun = lease_.begin(*parts_.keeper, pause_max_); !begun)
      return begun;
  return method_->pause(until);
}

status qemu_vmm::capture(deadline_point until) {
  if (!method_)
    return fail(ec::invalid_request, "capture without prepare");
  if (auto frozen = layers_.freeze(until); !frozen)
    return frozen;
  return method_->capture(until);
}

status qemu_vmm::resume(deadline_point until) {
  auto done = run_guest(until);
  if (method_) {
    method_->resumed();
    stood_ = method_->stood();
  }
  lease_.end(parts_.keeper ? &*parts_.keeper : nullptr, done, warnings_);
  return done;
}

// Sees the guest run, and resumes it as often as it takes.
status qemu_vmm::run_guest(deadline_point until) {
  auto last = failure{};
  bool resume_first = method_ && !method_->resumes_itself();
  for (;;) {
    if (resume_first && parts_.qmp->is_connected())
      static_cast<void>(parts_.qmp->execute("cont", until).has_value());
    const auto state = query_guest(*parts_.qmp, until);
    if (state && health_of(*state) == vmm_health::running)
      return {};
    if (state)
      last = {ec::guest_stuck, parts_.qmp->path() + ": the guest is " + *state};
    else
      last = state.error();
    if (last.code == ec::vmm_gone)
      return tl::unexpected(last);
    if (state && !is_resumable(*state)) {
      if (const auto why = want_of_space(*state, until))
        last = why;
      break;
    }
    if (steady_clock::now() >= until)
      break;
    resume_first = true;
    ::poll(nullptr, 0, resume_interval_ms);
  }
  return fail(ec::guest_stuck, "could not resume: " + last.message);
}

expected<capture_result> qemu_vmm::drain(deadline_point until) {
  if (!method_)
    return fail(ec::invalid_request, "drain without prepare");
  auto result = method_->drain(until);
  // What came and went between the two looks was not there in the pause.
  if (result)
    if (auto same = tracking_.look_again(*parts_.qmp, used_, until); !same)
      return tl::unexpected(same.error());
  if (!result && result.error().code == ec::deadline_exceeded
      && method_->resumes_itself())
    slow_branches_ = slow_branches_max;
  if (result) {
    result->warnings = warnings_;
    result->reason = reason_;
    auto disks = layers_.take();
    if (!disks)
      return tl::unexpected(disks.error());
    result->disks = std::move(*disks);
    drained_by_tracker_ = method_->is_tracked();
    method_.reset();
  }
  return result;
}

void qemu_vmm::commit(const std::string& root_hash) noexcept {
  tracking_.commit(root_hash, drained_by_tracker_);
}

void qemu_vmm::abandon() noexcept {
  if (auto method = std::exchange(method_, nullptr))
    method->abandon();
  layers_.abandon();
  // A lease that still runs is for a guest that was not seen to run again:
  // the keeper needs it.
}

status qemu_vmm::stop(deadline_point until) {
  abandon();
  if (!parts_.attached)
    return end_vm(until);
  if (parts_.keeper)
    parts_.keeper->leave();
  remove_vm_record(parts_.directory);
  return {};
}

status qemu_vmm::end_vm(deadline_point until) {
  const auto process = find_process(parts_.qmp->process());
  if (process.state() == liveness::unknown)
    return tl::unexpected(process.error());
  const auto quit_until =
    std::min(until, deadline_point{steady_clock::now() + quit_patience});
  if (process.runs()) {
    const bool asked = parts_.qmp->ensure_connected(quit_until)
                       && parts_.qmp->execute("quit", quit_until).has_value();
    if (!asked || !wait_for_end(process.pidfd(), quit_until))
      if (auto ended = end_process(process.pidfd(), term_patience, until);
          !ended)
        return ended;
  }
  remove_vm_record(parts_.directory);
  // One that hangs writes nothing to the directory; it leaves with its VM.
  if (parts_.keeper)
    static_cast<void>(
      parts_.keeper->wait_for_end(steady_clock::now() + keeper_patience)
        .has_value());
  return {};
}

} // namespace forkfleet::qemu
