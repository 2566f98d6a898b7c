// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

#include "node/copy_pace.hpp"
#include "node/qemu/capture_method.hpp"
#include "node/qemu/delta_sink.hpp"
#include "node/qemu/migration.hpp"
#include "node/qemu/stream_task.hpp"

namespace forkfleet::qemu {

namespace {

// Measured: a millisecond for 256 MiB in pages of 4 KiB.
constexpr uint64_t arm_bytes_per_microsecond = 256ull << 10;
// So often the pace of the stream is looked at.
constexpr auto look = std::chrono::milliseconds{250};

constexpr auto arm_floor = std::chrono::milliseconds{1};
// The guest's writes wait for a node that hangs no longer than this.
constexpr auto reading_time = std::chrono::seconds{5};
constexpr auto keeper_patience = std::chrono::seconds{2};

class background_capture : public capture_method {
public:
  explicit background_capture(capture_context x) : x_{std::move(x)} {}
  ~background_capture() override { background_capture::abandon(); }

  std::string_view name() const override { return "background-snapshot"; }
  bool resumes_itself() const override { return true; }

  // Arming takes longer the more memory there is. Nothing is copied.
  capture_forecast forecast() const override {
    auto result =
      x_.pauses.forecast(kind(), x_.memory_bytes,
                         arm_floor
                           + std::chrono::microseconds{static_cast<int64_t>(
                             x_.memory_bytes / arm_bytes_per_microsecond)});
    result.residual_bytes = 0;
    return result;
  }

  status prepare(const capture_plan& plan, deadline_point until) override {
    if (auto idle = wait_until_idle(x_.qmp, until); !idle)
      return idle;
    if (auto set = set_up_migration(x_.qmp, true, until); !set)
      return set;
    auto pipe = make_pipe();
    if (!pipe)
      return tl::unexpected(pipe.error());
    if (auto guarded = guard_capture(x_, pipe->reader.get(), until); !guarded)
      return guarded;
    if (auto given = give_fd(x_.qmp, pipe->writer.get(), until); !given)
      return given;
    stage_ = stage::prepared;
    memory_ = plan.memory;
    const bool is_diff = plan.scope == capture_scope::changed;
    if (is_diff)
      delta_.emplace(*plan.memory, plan.base.image);
    sink_ = std::make_shared<gated_sink>(
      is_diff ? static_cast<memory_sink&>(*delta_) : *plan.memory,
      plan.vmstate_fd);
    task_.emplace(std::move(pipe->reader), sink_,
                  split_plan{x_.memory_bytes, x_.memory_block, is_diff});
    x_.qmp.forget_events();
    return {};
  }

  status pause(deadline_point until) override {
    // Also after an error it may have started.
    stage_ = stage::started;
    was_asked_to_stop_ = true;
    if (auto started = start_migration(x_.qmp, until); !started)
      return started;
    auto stopped = wait_in_migration(x_.qmp, "STOP", until);
    if (!stopped)
      return tl::unexpected(stopped.error());
    stopped_at_ = stopped->at;
    return {};
  }

  status capture(deadline_point until) override {
    auto resumed = wait_in_migration(x_.qmp, "RESUME", until);
    if (!resumed)
      return tl::unexpected(resumed.error());
    pause_ = resumed->at - stopped_at_;
    // The guest runs, and its writes wait for our reading.
    sink_->open_gate();
    return {};
  }

  void resumed() override {
    // The guest ran on while QEMU made ready to stop it: it stood only since
    // QEMU's own stamp.
    if (stopped_at_.count() > 0)
      stood_ = stamp_now() - stopped_at_;
    if (sink_)
      sink_->open_gate();
    say_reading();
  }

  std::optional<std::chrono::microseconds> stood() const override {
    if (!was_asked_to_stop_)
      return std::chrono::microseconds{0};
    return stopped_at_.count() > 0 ? std::optional{stood_} : std::nullopt;
  }

  expected<capture_result> drain(deadline_point until) override {
    auto split = wait_for_stream(until);
    if (auto whole = check_whole(split); !whole)
      return tl::unexpected(whole.error());
    if (auto done = wait_until_completed(x_.qmp, until); !done)
      return tl::unexpected(done.error());
    stage_ = stage::idle;
    auto result =
      capture_result{.method = std::string{name()},
                     .vmm_pause = pause_,
                     .memory_bytes = x_.memory_bytes,
                     .vmstate_bytes = sink_->vmstate_bytes_written()};
    result.written_bytes = memory_->written_bytes() + result.vmstate_bytes;
    if (pause_.count() > 0)
      x_.pauses.learn(kind(), {x_.memory_bytes, pause_});
    return result;
  }

  void abandon() noexcept override {
    if (sink_)
      sink_->abandon();
    // Nothing was sent yet: the pipe ends when QEMU closes its end. Once it
    // is being sent, the thread reads it to its end; a cancelled background
    // snapshot hangs the guest of QEMU 7.2.
    if (std::exchange(stage_, stage::idle) == stage::prepared)
      take_back_fd(x_.qmp);
  }

private:
  void say_reading() {
    if (x_.keeper && stage_ == stage::started)
      static_cast<void>(x_.keeper->reading(reading_time).has_value());
  }

  // Nobody else has read of the pipe. As long as it was not read to its end
  // the keeper is told nothing: its time runs out, and it reads the rest.
  status check_whole(const expected<split_result>& split) {
    if (!split && split.error().code == ec::deadline_exceeded)
      return tl::unexpected(split.error());
    if (!x_.keeper)
      return split ? status{} : tl::unexpected(split.error());
    const auto mine =
      x_.keeper->read(std::chrono::steady_clock::now() + keeper_patience);
    if (mine && !*mine)
      return fail(ec::vmm_refused,
                  "the node was late, and the keeper has read what the guest's "
                  "writes waited for");
    if (!split)
      return tl::unexpected(split.error());
    if (!mine)
      return fail(mine.error().code,
                  "it is not known whether all of memory was read here: "
                    + mine.error().message);
    return {};
  }

  // QEMU cannot be told to give up. Who asked for the branch need not wait for
  // the end of a stream that will be late; the next branch does.
  expected<split_result> wait_for_stream(deadline_point until) {
    using std::chrono::steady_clock;
    const auto start = steady_clock::now();
    const auto since = [start](deadline_point x) {
      return std::chrono::duration_cast<std::chrono::microseconds>(x - start);
    };
    const auto pace = copy_pace{x_.memory_bytes, since(until)};
    for (;;) {
      const auto now = steady_clock::now();
      const auto done = sink_->memory_bytes();
      if (pace.is_too_slow(done, since(now)))
        return fail(ec::deadline_exceeded,
                    "after the pause; the guest runs, but QEMU is too slow to "
                    "send its memory: "
                      + pace.text(done, since(now)));
      say_reading();
      auto split = task_->wait(std::min<deadline_point>(until, now + look));
      if (split || split.error().code != ec::deadline_exceeded
          || steady_clock::now() >= until)
        return split;
    }
  }

  // Which pages are there to be armed is the same for all scopes.
  pause_kind kind() const {
    return {.method = std::string{name()},
            .is_resident = x_.memory_path.empty()};
  }

  enum class stage : uint8_t { idle, prepared, started };

  capture_context x_;
  stage stage_ = stage::idle;
  bool was_asked_to_stop_ = false;
  memory_sink* memory_ = nullptr;
  std::optional<delta_sink> delta_ = {}; // outlives every write of `sink_`
  std::shared_ptr<gated_sink> sink_ = {};
  std::optional<stream_task> task_ = {};
  std::chrono::microseconds stopped_at_{0};
  std::chrono::microseconds pause_{0};
  std::chrono::microseconds stood_{0};
};

} // namespace

std::unique_ptr<capture_method> make_background_capture(capture_context x) {
  return std::make_unique<background_capture>(std::move(x));
}

} // namespace forkfleet::qemu
