// SPDX-License-Identifier: Apache-2.0
#include "node/firecracker/firecracker_vmm.hpp"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>
#include <utility>

#include <fmt/format.h>

#include "node/firecracker/memory_file.hpp"
#include "node/firecracker/vm_launch.hpp"
#include "node/firecracker/vm_record.hpp"
#include "node/qemu/keeper_watch.hpp"
#include "node/qemu/vm_end.hpp"

namespace forkfleet::firecracker {

namespace {

using std::chrono::duration_cast;
using std::chrono::microseconds;
using std::chrono::steady_clock;

constexpr auto term_patience = std::chrono::seconds{2};
constexpr int resume_interval_ms = 2;

// Assumed until a pause of the kind was measured: rather too much than too
// little. For calls and device state, and for memory that is written to files
// whose pages must be found first.
constexpr auto assumed_overhead = std::chrono::milliseconds{10};
constexpr uint64_t assumed_bytes_per_second = 256ull << 20;
constexpr uint64_t assumed_diff_divisor = 16;

microseconds time_for(uint64_t bytes, uint64_t bytes_per_second) {
  return microseconds{static_cast<int64_t>(
    static_cast<double>(bytes) * 1e6 / static_cast<double>(bytes_per_second))};
}

} // namespace

firecracker_vmm::firecracker_vmm(firecracker_vmm_parts parts)
  : parts_{std::move(parts)}, rules_{rules_of(parts_.version)},
    pauses_{parts_.pauses} {}

firecracker_vmm::~firecracker_vmm() {
  abandon();
}

bool firecracker_vmm::has_ended() const {
  return qemu::find_process(parts_.process).has_ended();
}

// An API that does not answer because its process has ended.
failure firecracker_vmm::told(const failure& error) const {
  if (error.code == ec::vmm_unreachable && has_ended())
    return {ec::vmm_gone, error.message};
  return error;
}

expected<vmm_capabilities> firecracker_vmm::capabilities(deadline_point until) {
  if (auto state = parts_.line->state(until); !state)
    return tl::unexpected(told(state.error()));
  auto result = vmm_capabilities{
    .full = true,
    .live_obstacle = "Firecracker copies memory only while the guest stands",
    .diff_is_tracked = true,
    .pause_touches_storage = !parts_.space.is_fast()};
  result.diff_obstacle =
    parts_.vm.machine.tracks
      ? diff_obstacle(parts_.version, parts_.vm.machine.memory_bytes)
      : "this VM was started without track_dirty_pages";
  result.diff = result.diff_obstacle.empty();
  return result;
}

vmm_health firecracker_vmm::health(deadline_point until) {
  trouble_.clear();
  const auto state = parts_.line->state(until);
  if (!state && !has_ended())
    return vmm_health::stuck;
  if (!state) {
    // The keeper writes down how it ended, and leaves.
    if (parts_.keeper)
      static_cast<void>(
        parts_.keeper->wait_for_end(steady_clock::now() + term_patience)
          .has_value());
    trouble_ = qemu::describe_end(
      {.directory = parts_.directory,
         .process = parts_.process,
         .log = vmm_log});
    return vmm_health::gone;
  }
  return *state == instance_state::running  ? vmm_health::running
         : *state == instance_state::paused ? vmm_health::paused
                                            : vmm_health::stuck;
}

status firecracker_vmm::check_plan(const capture_plan& plan) const {
  if (plan.mode == branch_mode::live)
    return fail(ec::unsupported,
                "Firecracker copies memory only while the guest stands");
  for (const auto& one : parts_.vm.drives)
    if (!one.is_readonly)
      return fail(ec::unsupported,
                  fmt::format("drive {} is writable; memory and disk would not "
                              "be of one instant; mark it readonly",
                              one.path));
  if (plan.scope == capture_scope::all)
    return {};
  if (const auto why =
        diff_obstacle(parts_.version, parts_.vm.machine.memory_bytes);
      !why.empty())
    return fail(ec::unsupported, why);
  if (parts_.tracked_since.empty())
    return fail(ec::unsupported,
                "what changed in this VM is not known without a gap");
  if (plan.base.root_hash != parts_.tracked_since)
    return fail(ec::unsupported,
                fmt::format("changes are known since snapshot {}, not since {}",
                            parts_.tracked_since, plan.base.root_hash));
  return {};
}

expected<capture_estimate> firecracker_vmm::estimate(const capture_plan& plan,
                                                     deadline_point) {
  if (auto fits = check_plan(plan); !fits)
    return tl::unexpected(fits.error());
  const auto memory_bytes = parts_.vm.machine.memory_bytes;
  if (plan.scope == capture_scope::all)
    return capture_estimate{.method = "vmm-full", .bytes = memory_bytes};
  return capture_estimate{.method = "vmm-diff",
                          .bytes = expected_bytes(snapshot_kind::diff)};
}

expected<capture_forecast> firecracker_vmm::prepare(const capture_plan& plan,
                                                    deadline_point until) {
  abandon();
  warnings_.clear();
  if (auto fits = check_plan(plan); !fits)
    return tl::unexpected(fits.error());
  if (auto runs = check_guest(until); !runs)
    return tl::unexpected(runs.error());
  if (auto settled = settle_drives(); !settled)
    return tl::unexpected(settled.error());
  if (plan.is_cancelled && plan.is_cancelled())
    return fail(ec::cancelled, "before the pause");
  if (auto kept = ensure_keeper(until); !kept)
    return tl::unexpected(kept.error());
  kind_ = plan.scope == capture_scope::all ? snapshot_kind::full
                                           : snapshot_kind::diff;
  const bool keeps = !parts_.tracked_since.empty();
  auto paths = parts_.space.prepare(kind_, keeps);
  if (!paths)
    return tl::unexpected(paths.error());
  if (!parts_.space.is_fast())
    warnings_.push_back("no tmpfs has room for this guest's memory: "
                        "Firecracker syncs its files on the disk while the "
                        "guest stands");
  if (plan.memory)
    if (auto room = plan.memory->expect(forecast().residual_bytes); !room)
      return tl::unexpected(room.error());
  paths_ = std::move(*paths);
  plan_ = plan;
  progress_ = progress::prepared;
  return forecast();
}

status firecracker_vmm::check_guest(deadline_point until) {
  const auto state = parts_.line->state(until);
  if (!state)
    return tl::unexpected(told(state.error()));
  if (*state != instance_state::running)
    return fail(ec::vmm_refused, parts_.line->path()
                                   + ": the guest does not run; resume it "
                                     "first");
  return {};
}

// Firecracker syncs every drive while the guest stands: what can be written
// before is not written then.
status firecracker_vmm::settle_drives() const {
  for (const auto& one : parts_.vm.drives) {
    const auto fd = unique_fd{::open(one.path.c_str(), O_RDONLY | O_CLOEXEC)};
    if (!fd || ::fdatasync(fd.get()) != 0)
      return tl::unexpected(errno_failure(errno, "sync drive " + one.path));
  }
  return {};
}

status firecracker_vmm::ensure_keeper(deadline_point until) {
  if (auto kept =
        qemu::see_to_keeper(parts_.keeper, parts_.replacement, warnings_);
      !kept)
    return kept;
  const auto obstacle = parts_.keeper->guard(-1, until);
  if (!obstacle)
    return tl::unexpected(obstacle.error());
  if (!obstacle->empty())
    warnings_.push_back("the keeper could not resume this VM: " + *obstacle);
  return {};
}

// A diff tells nothing of a full one, nor a disk of tmpfs, nor memory that
// must be read in first of memory that is there.
pause_kind firecracker_vmm::pause_kind_of(snapshot_kind kind) const {
  const bool is_full = kind == snapshot_kind::full;
  return {.method = is_full ? "vmm-full" : "vmm-diff",
          .scope = is_full ? capture_scope::all : capture_scope::changed,
          .file_system = parts_.space.file_system(),
          .is_resident = !is_full || parts_.is_resident};
}

// What a diff will hold only Firecracker knows, and it does not tell.
uint64_t firecracker_vmm::expected_bytes(snapshot_kind kind) const {
  const auto memory_bytes = parts_.vm.machine.memory_bytes;
  if (kind == snapshot_kind::full)
    return memory_bytes;
  return std::min(memory_bytes,
                  pauses_.usual_bytes(pause_kind_of(kind))
                    .value_or(memory_bytes / assumed_diff_divisor));
}

capture_forecast firecracker_vmm::forecast() {
  const auto bytes = expected_bytes(kind_);
  return pauses_.forecast(pause_kind_of(kind_), bytes,
                          assumed_overhead
                            + time_for(bytes, assumed_bytes_per_second));
}

expected<capture_forecast> firecracker_vmm::refine(deadline_point) {
  if (progress_ != progress::prepared)
    return fail(ec::vmm_refused, "refine: nothing was prepared");
  return forecast();
}

status firecracker_vmm::pause(deadline_point until) {
  was_asked_to_stop_ = false;
  stood_ = {};
  if (progress_ != progress::prepared)
    return fail(ec::invalid_request, "pause without prepare");
  pauses_.begin();
  was_created_ = false;
  if (parts_.keeper)
    if (auto begun = lease_.begin(*parts_.keeper, plan_.pause_max); !begun)
      return begun;
  was_asked_to_stop_ = true;
  stopped_at_ = steady_clock::now();
  if (auto paused = parts_.line->pause(until); !paused)
    return tl::unexpected(told(paused.error()));
  return {};
}

// One create per pause: another may save registers that have changed.
status firecracker_vmm::capture(deadline_point until) {
  if (progress_ != progress::prepared || std::exchange(was_created_, true))
    return fail(ec::invalid_request, "capture without prepare and pause");
  parts_.space.drop_mark();
  auto created = parts_.line->create(kind_, paths_, until);
  if (!created) {
    // Which pages it took is not known: only all of them are right.
    parts_.tracked_since.clear();
    return tl::unexpected(told(created.error()));
  }
  // A full snapshot ends what was tracked before it.
  if (kind_ == snapshot_kind::full)
    parts_.tracked_since.clear();
  else
    has_loose_changes_ = true;
  progress_ = progress::captured;
  return {};
}

status firecracker_vmm::resume(deadline_point until) {
  auto done = run_guest(until);
  if (was_asked_to_stop_)
    stood_ = duration_cast<microseconds>(steady_clock::now() - stopped_at_);
  lease_.end(parts_.keeper ? &*parts_.keeper : nullptr, done, warnings_);
  return done;
}

std::optional<microseconds> firecracker_vmm::stood() const {
  return was_asked_to_stop_ ? stood_ : microseconds{0};
}

// Sees the guest run, and resumes it as often as it takes.
status firecracker_vmm::run_guest(deadline_point until) {
  for (;;) {
    auto resumed = parts_.line->resume(until);
    const auto state =
      resumed ? parts_.line->state(until) : tl::unexpected(resumed.error());
    if (state && *state == instance_state::running)
      return {};
    const auto last =
      state ? failure{ec::guest_stuck,
                      parts_.line->path() + ": the guest does not run"}
            : told(state.error());
    if (last.code == ec::vmm_gone)
      return tl::unexpected(last);
    if (steady_clock::now() >= until)
      return fail(ec::guest_stuck, "could not resume: " + last.message);
    ::poll(nullptr, 0, resume_interval_ms);
  }
}

expected<capture_result> firecracker_vmm::drain(deadline_point until) {
  if (progress_ != progress::captured)
    return fail(ec::vmm_refused, "drain: nothing was captured");
  auto result = capture_result{
    .method = kind_ == snapshot_kind::full ? "vmm-full" : "vmm-diff",
    .memory_bytes = parts_.vm.machine.memory_bytes};
  const auto memory = parts_.space.open(paths_.memory);
  auto taken = memory ? expected<uint64_t>{0} : tl::unexpected(memory.error());
  if (memory && plan_.memory)
    taken =
      drain_extents(memory->get(), result.memory_bytes, *plan_.memory, until);
  const auto vmstate = taken ? drain_vmstate(until) : taken;
  if (!vmstate) {
    abandon();
    return tl::unexpected(vmstate.error());
  }
  pauses_.learn(pause_kind_of(kind_), {*taken, stood_});
  // All of the memory was read in.
  if (kind_ == snapshot_kind::full)
    parts_.is_resident = true;
  result.residual_bytes = *taken;
  result.written_bytes =
    plan_.memory ? plan_.memory->written_bytes() : uint64_t{0};
  result.vmstate_bytes = *vmstate;
  result.warnings = warnings_;
  if (kind_ == snapshot_kind::full)
    parts_.space.forget_all_pages();
  progress_ = progress::drained;
  return result;
}

expected<uint64_t> firecracker_vmm::drain_vmstate(deadline_point until) const {
  const auto from = parts_.space.open(paths_.vmstate);
  if (!from)
    return tl::unexpected(from.error());
  return copy_file(from->get(), plan_.vmstate_fd, until);
}

void firecracker_vmm::commit(const std::string& root_hash) noexcept {
  if (progress_ != progress::drained)
    return;
  progress_ = progress::none;
  has_loose_changes_ = false;
  parts_.space.forget_changes();
  if (!parts_.vm.machine.tracks)
    return;
  parts_.tracked_since = root_hash;
  parts_.space.keep_mark(root_hash);
}

void firecracker_vmm::abandon() noexcept {
  progress_ = progress::none;
  parts_.space.forget_all_pages();
  // Where the next diff empties the file that holds them, these are lost.
  if (has_loose_changes_ && !rules_.keeps_memory_file)
    parts_.tracked_since.clear();
  if (parts_.tracked_since.empty()) {
    parts_.space.forget_changes();
    has_loose_changes_ = false;
  } else {
    parts_.space.keep_mark(parts_.tracked_since);
  }
}

status firecracker_vmm::stop(deadline_point until) {
  abandon();
  if (!parts_.attached)
    if (auto ended = end_vm(until); !ended)
      return ended;
  if (parts_.attached && parts_.keeper)
    parts_.keeper->leave();
  parts_.space.remove();
  remove_vm_record(parts_.directory);
  return {};
}

status firecracker_vmm::end_vm(deadline_point until) {
  const auto process = qemu::find_process(parts_.process);
  if (process.has_ended())
    return {};
  if (!process.runs())
    return tl::unexpected(process.error());
  auto ended = qemu::end_process(process.pidfd(), term_patience, until);
  if (ended && parts_.keeper)
    static_cast<void>(
      parts_.keeper->wait_for_end(steady_clock::now() + term_patience)
        .has_value());
  return ended;
}

} // namespace forkfleet::firecracker
