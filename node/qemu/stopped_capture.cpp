// SPDX-License-Identifier: Apache-2.0
#include "node/qemu/stopped_capture.hpp"

#include <chrono>
#include <utility>

#include "node/qemu/delta_sink.hpp"
#include "node/qemu/migration.hpp"
#include "node/qemu/page_writer.hpp"

namespace forkfleet::qemu {

namespace {

// Assumed until a pause of the kind was measured.
constexpr auto assumed_floor = std::chrono::milliseconds{5};
constexpr uint64_t assumed_bytes_per_second = 512ull << 20;

} // namespace

status stopped_capture::prepare(const capture_plan& plan,
                                deadline_point until) {
  plan_ = plan;
  if (auto idle = wait_until_idle(x_.qmp, until); !idle)
    return idle;
  if (auto ready = make_ready(until); !ready)
    return ready;
  auto buffer = page_buffer::make(x_.arenas, x_.memory_bytes, expected_bytes_);
  if (!buffer)
    return tl::unexpected(buffer.error());
  buffer_.emplace(std::move(*buffer));
  if (auto guarded = guard_capture(x_, -1, until); !guarded)
    return guarded;
  x_.qmp.forget_events();
  return {};
}

// Fresh memory and a child's, which may have to be read in, are apart.
pause_kind stopped_capture::kind() const {
  return {.method = std::string{name()},
          .scope = plan_.scope,
          .is_resident = x_.memory_path.empty()};
}

capture_forecast stopped_capture::forecast() const {
  const auto speed = copied_bytes_per_second_ > 0 ? copied_bytes_per_second_
                                                  : assumed_bytes_per_second;
  const auto copying = std::chrono::microseconds{static_cast<int64_t>(
    static_cast<double>(expected_bytes_) * 1e6 / static_cast<double>(speed))};
  auto result =
    x_.pauses.forecast(kind(), expected_bytes_, assumed_floor + copying);
  if (result.is_assumed && copied_bytes_per_second_ > 0) {
    result.is_assumed = false;
    result.basis = "how fast a part of its memory was copied just now";
  }
  return result;
}

status stopped_capture::pause(deadline_point until) {
  was_asked_to_stop_ = true;
  return x_.qmp.execute("stop", until).map([](const json&) {});
}

status stopped_capture::capture(deadline_point until) {
  if (auto taken = take(until); !taken)
    return taken;
  // Whoever resumed the guest under our hands has torn the copy.
  if (x_.qmp.wait_event("RESUME", std::chrono::steady_clock::now()))
    return fail(ec::vmm_refused,
                x_.qmp.path()
                  + ": the guest was resumed while its memory was "
                    "copied");
  return {};
}

void stopped_capture::resumed() {
  if (const auto stopped =
        x_.qmp.wait_event("STOP", std::chrono::steady_clock::now())) {
    stopped_at_ = stopped->at;
    stood_ = stamp_now() - stopped_at_;
  }
}

std::optional<std::chrono::microseconds> stopped_capture::stood() const {
  if (!was_asked_to_stop_)
    return std::chrono::microseconds{0};
  return stopped_at_.count() > 0 ? std::optional{stood_} : std::nullopt;
}

status stopped_capture::write_memory() const {
  if (plan_.scope == capture_scope::all)
    return buffer_->write_to(*plan_.memory, false);
  auto delta = delta_sink{*plan_.memory, plan_.base.image};
  if (auto done = buffer_->write_to(delta, true); !done || rest_is_base())
    return done;
  return buffer_->write_rest_as_zeros(delta);
}

expected<capture_result> stopped_capture::drain(deadline_point until) {
  const auto resumed =
    x_.qmp.wait_event("RESUME", std::chrono::steady_clock::now());
  const auto pause = resumed && stopped_at_.count() > 0
                       ? resumed->at - stopped_at_
                       : std::chrono::microseconds{0};
  if (pause.count() > 0)
    x_.pauses.learn(kind(), {buffer_->bytes(), pause});
  if (std::chrono::steady_clock::now() >= until)
    return fail(ec::deadline_exceeded, "before what was captured was written");
  if (auto done = write_memory(); !done)
    return tl::unexpected(done.error());
  const auto state = device_state();
  if (!state)
    return tl::unexpected(state.error());
  auto tail = tail_writer{plan_.vmstate_fd};
  if (auto done = tail.append(*state); !done)
    return tl::unexpected(done.error());
  return capture_result{.method = std::string{name()},
                        .vmm_pause = pause,
                        .memory_bytes = x_.memory_bytes,
                        .written_bytes =
                          plan_.memory->written_bytes() + tail.written_bytes(),
                        .vmstate_bytes = tail.written_bytes(),
                        .residual_bytes = buffer_->bytes()};
}

status guard_capture(capture_context& x, int pipe, deadline_point until) {
  if (!x.keeper)
    return {};
  const auto obstacle = x.keeper->guard(pipe, until);
  if (!obstacle)
    return tl::unexpected(obstacle.error());
  if (!obstacle->empty())
    x.warnings.push_back("no watchdog guards the pause: " + *obstacle);
  return {};
}

std::chrono::microseconds stamp_now() {
  return std::chrono::duration_cast<std::chrono::microseconds>(
    std::chrono::system_clock::now().time_since_epoch());
}

} // namespace forkfleet::qemu
