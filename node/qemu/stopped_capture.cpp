// SPDX-License-Identifier: Apache-2.0
#include "node/qemu/stopped_capture.hpp"

#include <utility>

#include "node/qemu/migration.hpp"
#include "node/qemu/page_writer.hpp"
#include "node/storage/file.hpp"

namespace forkfleet::qemu {

namespace {

// Room for the list of touched pages, so that none is made in the pause.
constexpr std::size_t ranges_expected = 1 << 16;

} // namespace

stopped_capture::~stopped_capture() {
  x_.arenas.give_back(std::move(arena_));
}

status stopped_capture::prepare(const capture_plan& plan,
                                deadline_point until) {
  plan_ = plan;
  touched_.reserve(ranges_expected);
  if (auto idle = wait_until_idle(x_.qmp, until); !idle)
    return idle;
  auto taken = x_.arenas.take(x_.memory_bytes);
  if (!taken)
    return tl::unexpected(taken.error());
  arena_ = std::move(*taken);
  if (auto ready = make_ready(until); !ready)
    return ready;
  if (auto guarded = guard_capture(x_, -1, until); !guarded)
    return guarded;
  x_.qmp.forget_events();
  return {};
}

status stopped_capture::pause(deadline_point until) {
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

expected<capture_result> stopped_capture::drain(deadline_point until) {
  auto memory = page_writer{*plan_.memory};
  for (const auto& range : touched_) {
    if (std::chrono::steady_clock::now() >= until)
      return fail(ec::deadline_exceeded, "writing the captured memory");
    if (auto done = write_memory(memory, range); !done)
      return tl::unexpected(done.error());
  }
  if (auto done = memory.flush(); !done)
    return tl::unexpected(done.error());
  const auto state = device_state();
  if (!state)
    return tl::unexpected(state.error());
  auto tail = tail_writer{plan_.vmstate_fd};
  if (auto done = tail.append(*state); !done)
    return tl::unexpected(done.error());
  return capture_result{.method = std::string{name()},
                        .vmm_pause = stamped_pause(x_.qmp),
                        .memory_bytes = x_.memory_bytes,
                        .written_bytes =
                          memory.written_bytes() + tail.written_bytes(),
                        .vmstate_bytes = tail.written_bytes()};
}

void stopped_capture::abandon() noexcept {
  x_.arenas.give_back(std::move(arena_));
  arena_.reset();
}

status stopped_capture::write_memory(page_writer& memory, memory_range range) {
  for (auto at = range.begin; at < range.end; at += page_bytes) {
    const auto page = byte_view{arena_->bytes()}.subspan(at, page_bytes);
    if (is_zero_page(page))
      continue;
    if (auto done = memory.page(at, page); !done)
      return done;
  }
  return {};
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

std::chrono::microseconds stamped_pause(qmp_client& qmp) {
  const auto now = std::chrono::steady_clock::now();
  const auto stopped = qmp.wait_event("STOP", now);
  const auto resumed = qmp.wait_event("RESUME", now);
  return stopped && resumed ? resumed->at - stopped->at
                            : std::chrono::microseconds{0};
}

} // namespace forkfleet::qemu
