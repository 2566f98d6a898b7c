// SPDX-License-Identifier: Apache-2.0
#include "node/simulated/simulated_vmm.hpp"

#include <algorithm>
#include <thread>
#include <utility>

namespace forkfleet {

namespace {

constexpr const char* driver_name = "simulated";
constexpr uint64_t chunk_bytes = 1 << 20;
constexpr uint64_t passes_max = 16;

/// What can be copied while the guest stands, for forecasts.
constexpr uint64_t copied_bytes_per_second = 4ull << 30;

/// A residual that is not worth another pass.
constexpr uint64_t small_residual_bytes = 64 * guest_page_bytes;

tl::unexpected<failure> gone() {
  return fail(ec::vmm_gone, "the simulated VM ended");
}

std::chrono::nanoseconds copy_time(uint64_t bytes) {
  return std::chrono::nanoseconds{
    static_cast<int64_t>(bytes * 1000 / (copied_bytes_per_second / 1000000))};
}

} // namespace

simulated_time real_time() {
  return {
    .now = [] { return std::chrono::steady_clock::now(); },
    .pass = [](std::chrono::nanoseconds x) { std::this_thread::sleep_for(x); }};
}

simulated_vmm::simulated_vmm(simulated_machine_ptr machine,
                             simulated_faults_ptr faults, simulated_time time,
                             std::string root_hash)
  : machine_(std::move(machine)), faults_(std::move(faults)),
    time_(std::move(time)), tracked_since_(std::move(root_hash)),
    changed_(machine_->memory_bytes() / guest_page_bytes) {}

expected<vmm_capabilities> simulated_vmm::capabilities(deadline_point) {
  if (machine_->health() == vmm_health::gone)
    return gone();
  return vmm_capabilities{.full = true,
                          .diff = true,
                          .live = true,
                          .full_is_tracked = true,
                          .diff_is_tracked = true};
}

vmm_health simulated_vmm::health(deadline_point) {
  return machine_->health();
}

vmm_description simulated_vmm::describe() const {
  return {.memory_bytes = machine_->memory_bytes(),
          .vcpus = machine_->vcpus(),
          .accelerator = driver_name};
}

run_contract simulated_vmm::contract() const {
  return {.driver = driver_name,
          .vmm_version = "1",
          .machine = driver_name,
          .accelerator = driver_name,
          .cpu = driver_name,
          .memory_bytes = machine_->memory_bytes(),
          .vcpus = machine_->vcpus()};
}

status simulated_vmm::check_base(const capture_plan& plan) const {
  if (plan.scope == capture_scope::all)
    return {};
  if (tracked_since_.empty())
    return fail(ec::unsupported,
                "what changed in this VM is not known without a gap");
  if (plan.base.root_hash != tracked_since_)
    return fail(ec::unsupported, "changes are known since snapshot "
                                   + tracked_since_ + ", not since "
                                   + plan.base.root_hash);
  return {};
}

expected<capture_estimate> simulated_vmm::estimate(const capture_plan& plan,
                                                   deadline_point) {
  if (machine_->health() == vmm_health::gone)
    return gone();
  if (auto fits = check_base(plan); !fits)
    return tl::unexpected{fits.error()};
  const auto now = time_.now();
  const auto pages = plan.scope == capture_scope::all
                       ? machine_->touched(now).count()
                       : changed_.count() + machine_->written_pages(now);
  return capture_estimate{.method = driver_name,
                          .bytes = pages * guest_page_bytes};
}

expected<capture_forecast> simulated_vmm::prepare(const capture_plan& plan,
                                                  deadline_point until) {
  abandon();
  was_paused_ = false;
  if (auto fits = check_base(plan); !fits)
    return tl::unexpected{fits.error()};
  auto done = act(stage::track, until, [&]() -> status {
    plan_ = plan;
    result_ = {};
    return begin(until);
  });
  if (!done)
    return tl::unexpected{done.error()};
  return forecast();
}

expected<capture_forecast> simulated_vmm::refine(deadline_point until) {
  if (!plan_)
    return fail(ec::vmm_refused, "refine: nothing was prepared");
  if (auto done = copy_more(until); !done)
    return tl::unexpected{done.error()};
  return forecast();
}

/// Takes what was written since this was last asked for, and remembers it
/// until a snapshot that has it is sealed.
page_set simulated_vmm::take_written() {
  auto written = machine_->take_written(time_.now());
  changed_.merge(written);
  return written;
}

/// The first pass: all that the scope asks for. More follow while they bring
/// the pause nearer to what is wished for.
status simulated_vmm::begin(deadline_point until) {
  was_drained_ = false;
  take_written();
  const bool is_all = plan_->scope == capture_scope::all;
  const auto pages = is_all ? machine_->touched(time_.now()) : changed_;
  if (plan_->memory)
    if (auto room = plan_->memory->expect(pages.count() * guest_page_bytes);
        !room)
      return room;
  residual_before_ = pages.count() * guest_page_bytes;
  if (auto done = copy(pages, until); !done)
    return done;
  for (;;) {
    make_room();
    const auto left = machine_->written_pages(time_.now()) * guest_page_bytes;
    if (is_near_enough(left))
      return {};
    if (auto done = copy_more(until); !done)
      return done;
  }
}

bool simulated_vmm::is_near_enough(uint64_t residual_bytes) const {
  if (residual_bytes <= small_residual_bytes || result_.passes >= passes_max)
    return true;
  const bool is_wished = plan_->pause_wish.count() > 0
                         && copy_time(residual_bytes) <= plan_->pause_wish;
  return is_wished || residual_bytes > residual_before_ / 4 * 3;
}

status simulated_vmm::copy_more(deadline_point until) {
  if (plan_->is_cancelled && plan_->is_cancelled())
    return fail(ec::cancelled, "before the pause");
  const auto written = take_written();
  residual_before_ = written.count() * guest_page_bytes;
  auto done = copy(written, until);
  make_room();
  return done;
}

status simulated_vmm::copy(const page_set& pages, deadline_point until) {
  ++result_.passes;
  if (!plan_->memory)
    return {};
  auto room = std::vector<uint8_t>(chunk_bytes);
  for (const auto& range : pages.ranges()) {
    for (auto at = range.begin; at < range.end;) {
      const auto size = std::min(chunk_bytes, range.end - at);
      const auto part = std::span{room}.first(size);
      machine_->read({at, at + size}, part, time_.now());
      if (auto done = plan_->memory->write(at, part); !done)
        return done;
      at += size;
      result_.written_bytes += size;
      if (time_.now() > until)
        return fail(ec::deadline_exceeded, "memory was not copied in time");
    }
  }
  return {};
}

/// Room for the residual, with pages that are there, so that nothing has to
/// be made while the guest stands.
void simulated_vmm::make_room() {
  const auto left = machine_->written_pages(time_.now()) * guest_page_bytes;
  const auto wanted = 2 * left + chunk_bytes;
  if (residual_.bytes.size() < wanted)
    residual_.bytes.resize(wanted);
  residual_.ranges.reserve(wanted / guest_page_bytes);
}

capture_forecast simulated_vmm::forecast() {
  const auto left = machine_->written_pages(time_.now()) * guest_page_bytes;
  const auto pause = faults_->cost(stage::pause) + faults_->cost(stage::capture)
                     + faults_->cost(stage::resume) + copy_time(left);
  return {.pause = std::chrono::ceil<std::chrono::microseconds>(pause),
          .residual_bytes = left,
          .dirty_bytes_per_second =
            machine_->habits().writes_per_second * guest_page_bytes,
          .passes = result_.passes,
          .can_refine =
            left > small_residual_bytes && left <= residual_before_ / 4 * 3};
}

status simulated_vmm::pause(deadline_point until) {
  return act(stage::pause, until, [&]() -> status {
    if (machine_->pause(time_.now())) {
      was_paused_ = true;
      return {};
    }
    return fail(ec::vmm_unreachable, "the simulated VM is stuck");
  });
}

status simulated_vmm::capture(deadline_point until) {
  return act(stage::capture, until, [&]() -> status {
    if (machine_->health() != vmm_health::paused)
      return fail(ec::vmm_refused, "capture: the guest does not stand still");
    if (!plan_)
      return fail(ec::vmm_refused, "capture: nothing was prepared");
    return take_residual();
  });
}

status simulated_vmm::take_residual() {
  residual_.ranges = take_written().ranges();
  uint64_t at = 0;
  for (const auto& range : residual_.ranges) {
    if (residual_.bytes.size() < at + range.bytes())
      residual_.bytes.resize(2 * (at + range.bytes()));
    machine_->read(range, std::span{residual_.bytes}.subspan(at, range.bytes()),
                   time_.now());
    at += range.bytes();
  }
  residual_.state = machine_->state(time_.now());
  residual_.is_taken = true;
  result_.residual_bytes = at;
  return {};
}

status simulated_vmm::resume(deadline_point until) {
  auto done = act(stage::resume, until, [&]() -> status {
    machine_->resume(time_.now());
    return {};
  });
  switch (machine_->health()) {
    case vmm_health::running:
      return done;
    case vmm_health::gone:
      return gone();
    default:
      return fail(ec::guest_stuck, "the simulated guest does not run again");
  }
}

expected<capture_result> simulated_vmm::drain(deadline_point until) {
  const auto done =
    act(stage::drain, until, [this]() -> status { return write_files(); });
  if (!done) {
    abandon();
    return tl::unexpected{done.error()};
  }
  plan_.reset();
  residual_.is_taken = false;
  was_drained_ = true;
  return std::move(result_);
}

void simulated_vmm::commit(const std::string& root_hash) noexcept {
  if (!std::exchange(was_drained_, false))
    return;
  tracked_since_ = root_hash;
  changed_.clear();
}

void simulated_vmm::abandon() noexcept {
  plan_.reset();
  residual_.is_taken = false;
  was_drained_ = false;
}

status simulated_vmm::stop(deadline_point) {
  machine_->end();
  return {};
}

/// Does what a stage does, with its cost and with what goes wrong. A stage
/// that takes longer than allowed is done all the same: nobody can tell from
/// a deadline what a VM did.
status simulated_vmm::act(stage which, deadline_point until,
                          const std::function<status()>& action) {
  const auto fault = faults_->next(which);
  using enum simulated_trouble;
  if (fault.trouble == crash_before)
    faults_->crash();
  if (fault.trouble == vm_ends)
    machine_->end();
  if (fault.trouble == stick)
    machine_->stick(time_.now());
  tears_ = fault.trouble == tear;
  const bool in_time = take_time(faults_->cost(which), until);
  if (machine_->health() == vmm_health::gone)
    return gone();
  if (fault.trouble == refuse)
    return fail(fault.code, "the simulated VM refused to " + to_string(which));
  if (auto done = action(); !done)
    return done;
  if (fault.trouble == crash_after)
    faults_->crash();
  if (fault.trouble == lose_answer)
    return fail(ec::vmm_unreachable, "the simulated VM's answer to "
                                       + to_string(which) + " was lost");
  if (!in_time)
    return fail(ec::deadline_exceeded,
                "the simulated VM was too slow to " + to_string(which));
  return {};
}

/// Lets the cost pass, up to the deadline; false when it took longer.
bool simulated_vmm::take_time(std::chrono::nanoseconds cost,
                              deadline_point until) {
  const auto left = until - time_.now();
  const auto passes = std::clamp<std::chrono::nanoseconds>(
    cost, std::chrono::nanoseconds::zero(),
    std::max<std::chrono::nanoseconds>(left, std::chrono::nanoseconds::zero()));
  if (passes.count() > 0)
    time_.pass(passes);
  return cost <= left;
}

status simulated_vmm::write_files() {
  if (!plan_ || !residual_.is_taken)
    return fail(ec::vmm_refused, "drain: nothing was captured");
  uint64_t at = 0;
  for (const auto& range : residual_.ranges) {
    if (plan_->memory)
      if (auto done = plan_->memory->write(
            range.begin, std::span{residual_.bytes}.subspan(at, range.bytes()));
          !done)
        return done;
    at += range.bytes();
  }
  if (tears_)
    if (auto done = tear(); !done)
      return done;
  result_.method = driver_name;
  result_.memory_bytes = machine_->memory_bytes();
  result_.written_bytes += at;
  if (plan_->vmstate_fd >= 0) {
    const auto written = write_state(residual_.state, plan_->vmstate_fd);
    if (!written)
      return tl::unexpected{written.error()};
    result_.vmstate_bytes = *written;
  }
  return {};
}

/// Some pages as they are now: of a later instant than the rest.
status simulated_vmm::tear() {
  if (!plan_->memory)
    return {};
  auto page = std::vector<uint8_t>(guest_page_bytes);
  for (uint64_t number = 1; number <= residual_.state.working_pages;
       number += 2) {
    const auto begin = number * guest_page_bytes;
    machine_->read({begin, begin + guest_page_bytes}, page, time_.now());
    if (auto done = plan_->memory->write(begin, page); !done)
      return done;
  }
  return {};
}

} // namespace forkfleet
