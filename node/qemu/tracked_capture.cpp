// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <chrono>
#include <limits>
#include <optional>
#include <utility>

#include "node/copy_pace.hpp"
#include "node/qemu/capture_method.hpp"
#include "node/qemu/guest_memory.hpp"
#include "node/qemu/migration.hpp"
#include "node/qemu/page_copy.hpp"
#include "node/qemu/page_writer.hpp"
#include "node/qemu/state_saver.hpp"

namespace forkfleet::qemu {

namespace {

using std::chrono::duration_cast;
using std::chrono::microseconds;
using std::chrono::steady_clock;

// Copies that wait in memory, not on the disk, until the guest has resumed.
constexpr uint64_t ready_bytes = 64ull << 20;

// How often the state is saved before a device that writes on has to wait.
constexpr int saves_max = 4;

// Passes may take this part of the time that there is.
constexpr int pass_time_divisor = 4;

// Before the stop itself: as long as a round finds much less than the last.
constexpr int last_rounds_max = 3;
constexpr uint64_t last_round_bytes_min = 64u << 10;

microseconds since(steady_clock::time_point start) {
  return duration_cast<microseconds>(steady_clock::now() - start);
}

// Copies what changes while the guest runs, so that little is left to copy
// when it stands.
class tracked_capture : public capture_method {
public:
  explicit tracked_capture(capture_context x)
    : x_{std::move(x)}, tracker_{*x_.tracker}, saver_{x_.qmp} {}
  ~tracked_capture() override { tracked_capture::abandon(); }

  std::string_view name() const override { return "tracked"; }
  bool resumes_itself() const override { return false; }
  bool is_tracked() const override { return true; }

  status prepare(const capture_plan& plan, deadline_point until) override;
  capture_forecast forecast() const override {
    auto result = x_.model.forecast();
    result.is_due = x_.model.rests_on_pauses() && x_.pauses.is_due(kind());
    return result;
  }
  pause_kind kind() const { return {.method = std::string{name()}}; }
  status refine(deadline_point until) override;
  status pause(deadline_point until) override;
  status capture(deadline_point until) override;
  void resumed() override;
  std::optional<microseconds> stood() const override {
    if (!was_asked_to_stop_)
      return microseconds{0};
    return stopped_at_.count() > 0 ? std::optional{stood_} : std::nullopt;
  }
  expected<capture_result> drain(deadline_point until) override;
  void abandon() noexcept override;

private:
  status open(deadline_point until);
  status first_pass(deadline_point until);
  status pass(deadline_point until);
  status scan();
  status copy(const page_set& pages, bool tells_zeros, deadline_point until);
  status last_round();
  status save_with_memory(deadline_point until);
  status make_room();
  status check_going_on(deadline_point until) const;

  capture_context x_;
  page_tracker& tracker_;
  state_saver saver_;
  capture_plan plan_ = {};
  std::optional<guest_memory> memory_ = {};
  std::optional<page_buffer> buffer_ = {};
  std::optional<page_set> todo_ = {};
  steady_clock::time_point scanned_at_ = {};
  uint64_t residual_ = 0;
  bool was_asked_to_stop_ = false;
  microseconds stopped_at_{0}; // by QEMU's stamp
  microseconds stood_{0};
};

status tracked_capture::prepare(const capture_plan& plan,
                                deadline_point until) {
  const auto began = steady_clock::now();
  plan_ = plan;
  x_.model.begin();
  // What another VM's pauses came to says more than an assumption.
  const auto like = x_.pauses.forecast(kind(), 0, microseconds{0});
  if (!like.is_assumed)
    x_.model.assume_floor(like.pause);
  if (auto ready = open(until); !ready)
    return ready;
  if (auto done = first_pass(until); !done)
    return done;
  // Passes that take long are not worth the time of those who wait.
  const auto passes_until = began + (until - began) / pass_time_divisor;
  while (steady_clock::now() < passes_until
         && (!x_.model.is_settled()
             || (plan_.pause_wish.count() > 0
                 && x_.model.forecast().pause > plan_.pause_wish
                 && x_.model.forecast().can_refine)))
    if (auto done = pass(until); !done)
      return done;
  if (auto guarded = guard_capture(x_, -1, until); !guarded)
    return guarded;
  x_.qmp.forget_events();
  return make_room();
}

status tracked_capture::open(deadline_point until) {
  if (auto idle = wait_until_idle(x_.qmp, until); !idle)
    return idle;
  if (auto ready = saver_.prepare(until); !ready)
    return ready;
  auto memory = guest_memory::open(x_.qmp.process(), x_.memory_bytes,
                                   x_.memory_path, x_.memory_begin);
  if (!memory)
    return tl::unexpected(memory.error());
  memory_.emplace(std::move(*memory));
  auto buffer = page_buffer::make(x_.arenas, x_.memory_bytes, ready_bytes);
  if (!buffer)
    return tl::unexpected(buffer.error());
  buffer_.emplace(std::move(*buffer));
  todo_.emplace(x_.memory_bytes);
  return tracker_.begin();
}

status tracked_capture::first_pass(deadline_point until) {
  if (auto done = scan(); !done)
    return done;
  const bool takes_all = plan_.scope == capture_scope::all;
  todo_->clear();
  if (!takes_all) {
    todo_->add(tracker_.changed());
  } else if (memory_->kind() != memory_kind::private_anonymous) {
    todo_->add({0, x_.memory_bytes});
  } else {
    // What nobody ever touched holds zeros, and so does the sink.
    auto own = std::vector<page_run>{};
    if (auto done = tracker_.pages().scan(memory_->begin(), x_.memory_bytes,
                                          page_question::own, false, own);
        !done)
      return done;
    for (const auto& run : own)
      if (!run.is_zero)
        todo_->add(run.range);
  }
  if (auto told = plan_.memory->expect(todo_->bytes()); !told)
    return told;
  if (auto done = copy(*todo_, !takes_all, until); !done)
    return done;
  x_.model.pass_ended(todo_->bytes(), microseconds{0});
  return {};
}

status tracked_capture::pass(deadline_point until) {
  const auto before = scanned_at_;
  if (auto done = scan(); !done)
    return done;
  todo_->clear();
  for (const auto& run : tracker_.found())
    todo_->add(run.range);
  const auto bytes = todo_->bytes();
  if (auto done = copy(*todo_, true, until); !done)
    return done;
  x_.model.pass_ended(bytes, duration_cast<microseconds>(scanned_at_ - before));
  return {};
}

status tracked_capture::scan() {
  const auto start = steady_clock::now();
  auto done = tracker_.scan();
  scanned_at_ = start;
  x_.model.scanned(since(start));
  return done;
}

status tracked_capture::copy(const page_set& pages, bool tells_zeros,
                             deadline_point until) {
  const auto bytes = pages.bytes();
  const auto start = steady_clock::now();
  if (!buffer_->is_ready_for(pages)) {
    const auto pace =
      copy_pace{bytes, duration_cast<microseconds>(until - start)};
    uint64_t copied = 0;
    return copy_pages(
      *memory_, pages, *buffer_, *plan_.memory, tells_zeros, [&]() -> status {
        if (pace.is_too_slow(copied, since(start)))
          return fail(ec::deadline_exceeded,
                      "before the pause; the guest never stood still: copied "
                        + pace.text(copied, since(start)));
        copied += copy_stage_bytes;
        return check_going_on(until);
      });
  }
  auto done = copy_pages(*memory_, pages, *buffer_);
  x_.model.copied(bytes, since(start));
  return done;
}

status tracked_capture::check_going_on(deadline_point until) const {
  if (plan_.is_cancelled && plan_.is_cancelled())
    return fail(ec::cancelled, "before the pause; the guest never stood still");
  if (steady_clock::now() >= until)
    return fail(ec::deadline_exceeded, "copying the guest's memory");
  return {};
}

// For what is still to come: space on the disk, and memory for the pause.
status tracked_capture::make_room() {
  const auto residual = x_.model.forecast().residual_bytes;
  if (auto told = plan_.memory->expect(buffer_->bytes() + residual * 2); !told)
    return told;
  return buffer_->make_ready(residual * 2);
}

status tracked_capture::refine(deadline_point until) {
  if (auto going = check_going_on(until); !going)
    return going;
  if (auto done = pass(until); !done)
    return done;
  return make_room();
}

status tracked_capture::last_round() {
  if (auto done = scan(); !done)
    return done;
  todo_->clear();
  for (const auto& run : tracker_.found())
    todo_->add(run.range);
  return copy_pages(*memory_, *todo_, *buffer_);
}

// The guest runs on for a moment: what it wrote since the last pass, while
// others made ready, is copied before it has to stand for that.
status tracked_capture::pause(deadline_point until) {
  auto found = std::numeric_limits<uint64_t>::max();
  for (int i = 0; i < last_rounds_max; ++i) {
    if (auto done = last_round(); !done)
      return done;
    const auto now = todo_->bytes();
    if (now <= last_round_bytes_min || now > found / 2)
      break;
    found = now;
  }
  was_asked_to_stop_ = true;
  return x_.qmp.execute("stop", until).map([](const json&) {});
}

status tracked_capture::capture(deadline_point until) {
  if (auto done = last_round(); !done)
    return done;
  residual_ = todo_->bytes();
  if (auto saved = save_with_memory(until); !saved)
    return saved;
  // Whoever resumed the guest under our hands has torn the copy.
  if (x_.qmp.wait_event("RESUME", steady_clock::now()))
    return fail(ec::vmm_refused, x_.qmp.path()
                                   + ": the guest was resumed while its "
                                     "memory was copied");
  return {};
}

// The device state of the instant at which memory was copied. What the host
// sends reaches a standing guest, too: its device writes a buffer and counts it
// in its own state, and a child with one of the two only would lose it.
status tracked_capture::save_with_memory(deadline_point until) {
  for (int i = 0; i < saves_max; ++i) {
    if (auto saved = saver_.save(until); !saved)
      return saved;
    if (!x_.takes_input)
      return {};
    if (auto done = last_round(); !done)
      return done;
    if (todo_->bytes() == 0)
      return {};
    residual_ += todo_->bytes();
  }
  return fail(ec::vmm_refused,
              x_.qmp.path()
                + ": a device went on writing memory while the guest stood; "
                  "branch again when the host sends it less");
}

void tracked_capture::resumed() {
  if (const auto stopped = x_.qmp.wait_event("STOP", steady_clock::now())) {
    stopped_at_ = stopped->at;
    stood_ = stamp_now() - stopped_at_;
  }
}

expected<capture_result> tracked_capture::drain(deadline_point until) {
  const auto resumed = x_.qmp.wait_event("RESUME", steady_clock::now());
  const auto pause = resumed && stopped_at_.count() > 0
                       ? resumed->at - stopped_at_
                       : microseconds{0};
  if (pause.count() > 0) {
    x_.model.paused(pause, residual_);
    x_.pauses.learn(kind(), {residual_, pause});
  }
  if (steady_clock::now() >= until)
    return fail(ec::deadline_exceeded, "before what was captured was written");
  if (auto done = buffer_->write_to(*plan_.memory, true); !done)
    return tl::unexpected(done.error());
  const auto state = saver_.loadable(x_.machine_type);
  if (!state)
    return tl::unexpected(state.error());
  auto tail = tail_writer{plan_.vmstate_fd};
  if (auto done = tail.append(*state); !done)
    return tl::unexpected(done.error());
  auto result = capture_result{.method = std::string{name()},
                               .vmm_pause = pause,
                               .memory_bytes = x_.memory_bytes,
                               .written_bytes = plan_.memory->written_bytes()
                                                + tail.written_bytes(),
                               .vmstate_bytes = tail.written_bytes(),
                               .residual_bytes = residual_,
                               .passes = x_.model.forecast().passes};
  abandon();
  return result;
}

void tracked_capture::abandon() noexcept {
  buffer_.reset();
  saver_.release();
}

} // namespace

std::unique_ptr<capture_method> make_tracked_capture(capture_context x) {
  return std::make_unique<tracked_capture>(std::move(x));
}

} // namespace forkfleet::qemu
