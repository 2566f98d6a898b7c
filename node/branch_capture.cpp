// SPDX-License-Identifier: Apache-2.0
#include "node/branch_capture.hpp"

#include <algorithm>
#include <string>
#include <utility>

namespace forkfleet {

namespace {

/// Room for device state when it is reserved.
constexpr uint64_t vmstate_guess = 4ull << 20;

/// A wait for the store is cut into these, to hear of a cancel.
constexpr auto settle_step = std::chrono::milliseconds{100};

/// Whether the next way may do where this one cannot.
bool is_obstacle(const failure& x, const mode_choice& way) {
  const bool lacks_base = x.code == ec::unknown_snapshot
                          || x.code == ec::invalid_request
                          || x.code == ec::snapshot_corrupt;
  return x.code == ec::unsupported || (way.uses_base() && lacks_base);
}

std::string not_taken(const mode_choice& way, const std::string& why) {
  const auto name = way.form == memory_form::clone
                      ? std::string{"a clone"}
                      : std::string{schema::name_of(way.mode)};
  return "not " + name + ": " + why;
}

} // namespace

branch_capture::branch_capture(const branch_context& context,
                               const branch_request& request,
                               branch_record& record)
  : context_{context}, request_{request}, record_{record} {}

status branch_capture::choose() {
  auto plan = plan_branch(context_, request_, record_.until());
  if (!plan)
    return tl::unexpected(plan.error());
  plan_ = std::move(*plan);
  record_.report().mode = way().mode;
  return settle();
}

status branch_capture::settle() {
  const auto start = context_.now();
  const auto step = [this] {
    return context_.store->settle(
      std::min(record_.until(), context_.now() + settle_step));
  };
  auto settled = step();
  while (!settled && settled.error().code == ec::deadline_exceeded
         && context_.now() < record_.until() && record_.check_cancel())
    settled = step();
  record_.report().delayed += record_.since(start);
  if (auto fine = record_.check_cancel(); !fine)
    return fine;
  return settled;
}

status branch_capture::open() {
  for (;; ++way_) {
    auto opened = open_way();
    if (opened || way_ + 1 == plan_.ways.size()
        || !is_obstacle(opened.error(), way()))
      return opened;
    context_.store->discard(request_.operation);
    record_.explain(not_taken(way(), opened.error().message));
  }
}

status branch_capture::open_way() {
  auto& report = record_.report();
  report.mode = way().mode;
  report.base = way().uses_base() ? plan_.base.tag : snapshot_tag{};
  capture_ = {.operation = request_.operation,
              .mode = way().mode,
              .scope = way().scope,
              .pause_max = context_.policy.pause_max,
              .pause_wish = report.max_pause,
              .is_cancelled = [this] { return !record_.check_cancel(); }};
  if (way().flattens_base)
    if (auto flat = flatten_base(); !flat)
      return flat;
  if (way().uses_base()) {
    auto image = context_.store->image(plan_.base.tag);
    if (!image)
      return tl::unexpected(image.error());
    capture_.base = {plan_.base.root_hash, std::move(*image)};
  }
  const auto estimate = context_.vmm->estimate(capture_, record_.until());
  if (!estimate)
    return tl::unexpected(estimate.error());
  expected_bytes_ = estimate->bytes;
  if (auto staged = stage_files(*estimate); !staged)
    return staged;
  record_.explain(way().reason);
  return {};
}

/// The chain would become too long: its base waits no more.
status branch_capture::flatten_base() {
  const auto start = context_.now();
  auto flat = context_.store->flatten(plan_.base.tag, [this] {
    return !record_.check_cancel() || context_.now() >= record_.until();
  });
  record_.report().delayed += record_.since(start);
  if (auto fine = record_.check_cancel(); !fine)
    return fine;
  if (!flat && !check_time())
    return fail(ec::deadline_exceeded,
                "while the chain of " + plan_.base.tag.value + ", which has "
                  + std::to_string(plan_.base.depth)
                  + " diffs, was flattened; the guest never stood still. The "
                    "node flattens it in the background: ask again later, "
                    "with a longer deadline, or for mode auto");
  return flat;
}

status branch_capture::stage_files(const capture_estimate& estimate) {
  auto request = staging_request{.operation = request_.operation,
                                 .tag = request_.tag,
                                 .memory_bytes = record_.report().memory_bytes,
                                 .vmstate_bytes = vmstate_guess,
                                 .policy = context_.policy.reserve,
                                 .form = way().form};
  if (way().uses_base()) {
    request.base = plan_.base.tag;
    request.base_hash = plan_.base.root_hash;
    request.expected_bytes = estimate.bytes;
  }
  auto staged = context_.store->stage(request);
  note_reservation(staged ? (*staged)->reserved() : staged.error().reserved);
  if (!staged)
    return tl::unexpected(staged.error().error);
  staging_ = std::move(*staged);
  capture_.memory = &staging_->memory();
  capture_.vmstate_fd = staging_->vmstate_fd();
  return {};
}

void branch_capture::note_reservation(const reservation& x) {
  auto& report = record_.report();
  report.reserve = x.outcome;
  report.reserved_bytes = x.reserved_bytes;
  report.missing_bytes = x.missing_bytes;
  report.file_system = x.file_system;
  if (x.outcome == reserve_outcome::unsupported)
    record_.warn(x.file_system
                 + " cannot reserve space: a full disk shows only after the "
                   "pause");
}

/// About as many as the branch takes on the disk.
uint64_t branch_capture::needed_bytes() const {
  const auto memory_bytes = record_.report().memory_bytes;
  const bool is_whole = plan_.ways.empty() || way().form == memory_form::flat;
  return vmstate_guess
         + (is_whole ? memory_bytes : std::min(memory_bytes, expected_bytes_));
}

void branch_capture::note_missing() {
  auto& report = record_.report();
  const bool is_full = report.outcome.code == ec::disk_full
                       || report.outcome.code == ec::quota_exceeded;
  if (!is_full || report.missing_bytes > 0)
    return;
  // What is free can be enough by its number and still not do: the file
  // system needs some for itself, and a quota is not seen in it.
  const auto needed = needed_bytes();
  const auto free = context_.store->free_bytes();
  report.missing_bytes =
    needed > free ? needed - free : uint64_t{guest_page_bytes};
}

bool branch_capture::has_alternative() const {
  // What copies changes cannot be outdone by another that does.
  return way().is_tracked
         && std::any_of(
           plan_.ways.begin() + static_cast<std::ptrdiff_t>(way_ + 1),
           plan_.ways.end(),
           [](const mode_choice& x) { return x.mode == branch_mode::live; });
}

status branch_capture::approach() {
  auto budget = pause_budget{{.pause = record_.report().max_pause,
                              .touches_storage = plan_.vm.pause_touches_storage,
                              .has_alternative = has_alternative(),
                              .longest = context_.policy.pause_max}};
  is_prepared_ = true;
  auto forecast = context_.vmm->prepare(capture_, record_.until());
  while (forecast) {
    if (auto fine = check_time(); !fine)
      return fine;
    note_forecast(*forecast);
    const auto advice = budget.weigh(
      *forecast, record_.report().unwritten_bytes, record_.report().delayed);
    record_.report().predicted_pause = budget.predicted();
    switch (advice.step) {
      case budget_step::go:
        if (is_marked_)
          return pause_now(budget);
        if (auto marked = mark_pause(); !marked)
          return marked;
        if (!forecast->can_refine)
          return pause_now(budget);
        // The guest went on while the mark was written.
        forecast = context_.vmm->refine(record_.until());
        break;
      case budget_step::refine:
      case budget_step::wait:
        forecast = refine_after(advice.delay);
        break;
      case budget_step::change:
        context_.vmm->refused();
        return change_way(budget.refusal());
      case budget_step::refuse:
        context_.vmm->refused();
        return tl::unexpected(budget.refusal());
    }
  }
  return tl::unexpected(forecast.error());
}

status branch_capture::pause_now(const pause_budget& budget) {
  if (auto warning = budget.warning(); !warning.empty())
    record_.warn(std::move(warning));
  return {};
}

void branch_capture::note_forecast(const capture_forecast& forecast) {
  auto& report = record_.report();
  report.passes = forecast.passes;
  report.residual_bytes = forecast.residual_bytes;
  report.dirty_bytes_per_second = forecast.dirty_bytes_per_second;
  report.unwritten_bytes = context_.store->unwritten_bytes();
}

status branch_capture::check_time() const {
  if (auto fine = record_.check_cancel(); !fine)
    return fine;
  if (context_.now() >= record_.until())
    return fail(ec::deadline_exceeded,
                "before the pause; the guest never stood still");
  return {};
}

status branch_capture::mark_pause() {
  is_marked_ = true;
  return context_.journal->mark_pause(request_.operation, true);
}

expected<capture_forecast> branch_capture::refine_after(microseconds delay) {
  const auto start = context_.now();
  if (delay.count() > 0)
    wait(delay);
  auto forecast = context_.vmm->refine(record_.until());
  record_.report().delayed += record_.since(start);
  return forecast;
}

void branch_capture::wait(microseconds delay) {
  const auto until = std::min(context_.now() + delay, record_.until());
  if (context_.wait_until)
    context_.wait_until(until);
  else if (context_.cancel)
    context_.cancel->wait_until(until);
}

/// Gives this way up for one whose pause does not depend on the guest's pace.
status branch_capture::change_way(const failure& why) {
  record_.explain(not_taken(way(), why.message));
  close();
  context_.store->discard(request_.operation);
  while (way().mode != branch_mode::live)
    ++way_;
  if (auto opened = open_way(); !opened)
    return is_obstacle(opened.error(), way()) ? tl::unexpected(why) : opened;
  return approach();
}

void branch_capture::close() {
  if (std::exchange(is_prepared_, false))
    context_.vmm->abandon();
  capture_.memory = nullptr;
  staging_.reset();
}

void branch_capture::commit(const std::string& root_hash) {
  is_prepared_ = false;
  context_.vmm->commit(root_hash);
}

} // namespace forkfleet
