// SPDX-License-Identifier: Apache-2.0
#include "node/bench/vm_captures.hpp"

#include <algorithm>
#include <fcntl.h>
#include <thread>
#include <unistd.h>
#include <vector>

#include "node/storage/file.hpp"

namespace forkfleet::bench {

namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;
using std::chrono::duration_cast;

/// A gap is known at the second edge of the CMOS clock after it.
constexpr uint64_t edges_after = 2;
constexpr auto gap_limit = 6s;
/// The way of the guest's output to us.
constexpr auto hearing_slack = 20ms;
/// From one branch of a chain to the next.
constexpr auto chain_rhythm = 300ms;
/// Long enough for the guest to have rewritten much of its memory.
constexpr auto torn_distance = 1s;
/// A torn child may hang at once.
constexpr auto check_limit = 60s;
constexpr auto torn_limit = 20s;
constexpr uint64_t piece_bytes = 1u << 20;

branch_mode mode_of(capture_way way) {
  switch (way) {
    case capture_way::diff:
      return branch_mode::diff;
    case capture_way::live:
    case capture_way::attached:
      return branch_mode::live;
    default:
      return branch_mode::full;
  }
}

bool is_by_hand(capture_way way) {
  return way == capture_way::floor || way == capture_way::hand_background;
}

} // namespace

expected<std::unique_ptr<vm_captures>>
vm_captures::start(vmm_driver& driver, branch_place& place, guest_plan plan) {
  std::unique_ptr<vm_captures> result{
    new vm_captures{driver, place, std::move(plan)}};
  auto vm = guest_vm::start(driver, result->plan_);
  if (!vm)
    return tl::unexpected(vm.error());
  result->vm_ = std::move(*vm);
  if (result->plan_.owner == vm_owner::driver) {
    auto hand = result->vm_->by_hand();
    if (!hand)
      return tl::unexpected(hand.error());
    result->hand_ = std::move(*hand);
  }
  return result;
}

status vm_captures::take_base() {
  return take_uncounted(branch_mode::full);
}

status vm_captures::take_uncounted(branch_mode mode) {
  const auto tag = fresh_tag();
  const auto taken = place_.branch(vm_->driven(), tag, mode);
  if (taken.report.outcome)
    return tl::unexpected(taken.report.outcome);
  last_ = tag;
  return {};
}

snapshot_tag vm_captures::fresh_tag() {
  return {plan_.name + "-" + std::to_string(++tags_)};
}

pause_sample vm_captures::capture(capture_way way, uint64_t number,
                                  bool checked) {
  pause_sample sample{.memory_mib = plan_.memory_mib,
                      .rate_mib = plan_.rate_mib,
                      .way = way,
                      .number = number};
  const auto& watch = vm_->watch();
  const auto lost = watch.state().lost;
  window pause{.from = clock::now()};
  const auto done = is_by_hand(way) ? capture_by_hand(way, sample)
                                    : capture_by_branch(way, sample, pause);
  if (pause.to < pause.from)
    pause.to = clock::now() + hearing_slack;
  const auto second = watch.state().seconds_watched;
  if (!done) {
    sample.pause = {};
    sample.remark = to_string(done.error());
    if (done.error().code == ec::unsupported)
      lacking_.insert(way);
    return sample;
  }
  if (!is_by_hand(way) && checked)
    check(sample);
  // A guest that makes it hard has no time for a clock.
  if (plan_.numbered_disk.empty())
    note_gap(sample, second, lost);
  sample.silence = duration_cast<microseconds>(
    watch.longest_silence(pause.from, pause.to).duration());
  forget_old();
  return sample;
}

status vm_captures::capture_by_hand(capture_way way, pause_sample& sample) {
  if (!hand_)
    return fail(ec::unsupported, "no second QMP socket");
  const auto pause = way == capture_way::floor
                       ? hand_->device_state(plan_.directory + "/state")
                       : hand_->background_snapshot();
  if (!pause)
    return fail(ec::unsupported, to_string(pause.error()));
  sample.method =
    way == capture_way::floor ? "stop, state, cont" : "background-snapshot";
  sample.pause = pause->ours;
  sample.vmm_pause = pause->qemus;
  return {};
}

status vm_captures::capture_by_branch(capture_way way, pause_sample& sample,
                                      window& pause) {
  if (way == capture_way::diff) {
    // The other ways took seconds; a chain's base is of a moment ago.
    if (auto base = take_uncounted(branch_mode::diff); !base)
      return base;
    std::this_thread::sleep_for(chain_rhythm);
  }
  const auto tag = fresh_tag();
  const auto arrival = clock::now();
  const auto [report, snapshot] =
    place_.branch(vm_->driven(), tag, mode_of(way));
  if (report.outcome)
    return tl::unexpected(report.outcome);
  sample.method = report.method;
  sample.pause = report.pause;
  sample.vmm_pause = report.vmm_pause;
  sample.total = report.total;
  sample.written_bytes = report.written_bytes;
  sample.stored_bytes = snapshot.stored_bytes;
  if (report.mode != mode_of(way))
    sample.remark = "taken as " + std::string{schema::name_of(report.mode)}
                    + ": " + report.reason;
  for (const auto& timing : report.stages) {
    if (timing.which == stage::pause)
      pause.from = arrival + timing.start;
    if (timing.which == stage::resume)
      pause.to = arrival + timing.start + timing.elapsed + hearing_slack;
  }
  last_ = tag;
  return {};
}

void vm_captures::check(pause_sample& sample) {
  const auto files = place_.store().open(last_);
  auto child = plan_;
  child.name = "child";
  const auto checked = files
                         ? check_snapshot(driver_, *files, child, check_limit)
                         : status{tl::unexpected(files.error())};
  sample.check = checked ? check_outcome::right : check_outcome::wrong;
  if (!checked)
    sample.remark =
      "child of " + last_.value + ": " + to_string(checked.error());
}

/// The guest tells of a gap when it is over: waits until it must have.
void vm_captures::note_gap(pause_sample& sample, uint64_t second,
                           std::chrono::microseconds lost) const {
  const auto& watch = vm_->watch();
  const auto until = clock::now() + gap_limit;
  while (watch.state().seconds_watched < second + edges_after
         && clock::now() < until && !watch.ended())
    std::this_thread::sleep_for(20ms);
  sample.guest_gap = watch.state().lost - lost;
}

/// Keeps what the next diff may need.
void vm_captures::forget_old() {
  const auto base =
    place_.store().find_base(vm_->driven()->tracked_since(), {}).tag;
  auto known = place_.store().list();
  // Diffs go before their bases.
  std::sort(known.begin(), known.end(),
            [](const auto& a, const auto& b) { return a.depth > b.depth; });
  for (const auto& x : known)
    if (x.tag != base && x.tag != last_)
      std::ignore = place_.store().remove(x.tag);
}

expected<snapshot_files> vm_captures::torn_files(const snapshot_tag& early,
                                                 const snapshot_tag& late) {
  const auto first = place_.store().image(early);
  const auto second = place_.store().image(late);
  auto files = place_.store().open(early);
  if (!first || !second || !files)
    return fail(ec::io_failed, "the snapshots to tear cannot be opened");
  const auto path = plan_.directory + "/torn-memory";
  unlink(path.c_str());
  const auto fd = open_file(path, O_RDWR | O_CREAT | O_EXCL);
  if (!fd)
    return tl::unexpected(fd.error());
  const auto bytes = (*first)->bytes();
  std::vector<uint8_t> piece(piece_bytes);
  for (uint64_t at = 0; at < bytes; at += piece_bytes) {
    const auto part = std::span{piece}.first(std::min(piece_bytes, bytes - at));
    const auto& from = at < bytes / 2 ? *first : *second;
    auto done = from->read(at, part);
    if (done)
      done = write_at(fd->get(), part, at, path);
    if (!done)
      return tl::unexpected(done.error());
  }
  files->memory = {.bytes = bytes,
                   .files = {path},
                   .segments = {{.address = 0, .bytes = bytes, .file = 0}}};
  return files;
}

expected<std::string> vm_captures::find_torn() {
  const auto mode =
    plan_.owner == vm_owner::driver ? branch_mode::full : branch_mode::live;
  const auto early = fresh_tag();
  if (const auto taken = place_.branch(vm_->driven(), early, mode);
      taken.report.outcome)
    return tl::unexpected(taken.report.outcome);
  std::this_thread::sleep_for(torn_distance);
  const auto late = fresh_tag();
  if (const auto taken = place_.branch(vm_->driven(), late, mode);
      taken.report.outcome)
    return tl::unexpected(taken.report.outcome);
  const auto files = torn_files(early, late);
  if (!files)
    return tl::unexpected(files.error());
  auto child = plan_;
  child.name = "torn";
  const auto checked = check_snapshot(driver_, *files, child, torn_limit);
  unlink((plan_.directory + "/torn-memory").c_str());
  last_ = late;
  forget_old();
  if (checked)
    return std::string{};
  // Its kernel is torn, too, and may not live to tell.
  if (checked.error().code == ec::snapshot_corrupt
      || checked.error().code == ec::deadline_exceeded)
    return checked.error().message;
  return tl::unexpected(checked.error());
}

} // namespace forkfleet::bench
