// SPDX-License-Identifier: Apache-2.0
#include "actors/shell/supervisor.hpp"

#include <algorithm>
#include <poll.h>
#include <utility>

#include <fmt/format.h>

#include "actors/shell/figures.hpp"

namespace forkfleet::shell {
namespace {

using std::chrono::duration_cast;
using std::chrono::milliseconds;

constexpr std::size_t last_lines_shown = 10;
constexpr std::size_t logs_shown = 4; // when it is not known whose fault it is
constexpr milliseconds keep_interval{1000};

milliseconds until(time_point limit) {
  const auto left = duration_cast<milliseconds>(limit - now());
  return std::max(left, milliseconds{0});
}

} // namespace

supervisor::supervisor(std::vector<program> programs,
                       supervisor_settings settings, supervisor_hooks hooks)
  : settings_{settings}, hooks_{std::move(hooks)}, policy_{settings.restarts} {
  for (auto& x : programs)
    members_.push_back(member{.what = std::move(x)});
}

exit_code supervisor::run(signal_source& signals) {
  auto result = exit_code::failed;
  if (auto started = start_all(); !started)
    hooks_.note(to_string(started.error()));
  else
    result = await_ready(signals);
  if (result == exit_code::done) {
    hooks_.ready();
    result = keep(signals);
  }
  stop_all(signals);
  return result;
}

status supervisor::start_all() {
  for (auto& x : members_)
    if (auto started = start(x); !started)
      return started;
  return {};
}

status supervisor::start(member& x) {
  auto started = child_process::start(x.what);
  if (!started)
    return tl::unexpected{started.error()};
  x.process.emplace(std::move(*started));
  x.restart_at.reset();
  tell_running();
  return {};
}

exit_code supervisor::await_ready(signal_source& signals) {
  const auto limit = now() + settings_.start_limit;
  readiness last;
  do {
    if (wait(signals, std::min(settings_.check_interval, until(limit))) != 0)
      return exit_code::interrupted;
    if (!all_run())
      return exit_code::failed;
    last = hooks_.check();
    if (last.what == readiness::verdict::ready)
      return exit_code::done;
    hooks_.progress("waiting for " + last.text);
  } while (last.what == readiness::verdict::waiting && now() < limit);
  if (last.what == readiness::verdict::failed)
    hooks_.note(last.text);
  else
    hooks_.note("not ready after " + duration_text(settings_.start_limit)
                + "; still waiting for " + last.text);
  for (std::size_t i = 0; i < std::min(members_.size(), logs_shown); ++i)
    tell_last_lines(members_[i]);
  return exit_code::failed;
}

bool supervisor::all_run() {
  for (auto& x : members_) {
    const auto end = x.process->take_end();
    if (!end)
      continue;
    hooks_.note(x.what.name + " " + end->text() + " while it started");
    tell_last_lines(x);
    return false;
  }
  return true;
}

exit_code supervisor::keep(signal_source& signals) {
  for (;;) {
    auto limit = now() + keep_interval;
    for (const auto& x : members_)
      limit = std::min(limit, x.restart_at.value_or(limit));
    if (wait(signals, until(limit)) != 0)
      return exit_code::done;
    if (!restart_the_dead())
      return exit_code::failed;
    for (const auto& x : members_)
      bound_log(x.what.log);
  }
}

bool supervisor::restart_the_dead() {
  for (auto& x : members_) {
    const auto end = x.process->take_end();
    if (end) {
      const auto delay = policy_.on_death(now());
      hooks_.note(x.what.name + " " + end->text()
                  + (delay ? "; starting it again" : ""));
      tell_last_lines(x);
      if (!delay) {
        hooks_.note(fmt::format("{} programs died within {}; giving up",
                                settings_.restarts.restarts_max + 1,
                                duration_text(settings_.restarts.period)));
        return false;
      }
      x.restart_at = now() + *delay;
    }
    if (!x.restart_at || now() < *x.restart_at)
      continue;
    if (auto started = start(x); !started) {
      // It may start a moment later: that counts as one more death, not as the
      // end of the fleet.
      const auto delay = policy_.on_death(now());
      hooks_.note(to_string(started.error()) + (delay ? "; trying again" : ""));
      if (!delay)
        return false;
      x.restart_at = now() + *delay;
    }
  }
  return true;
}

void supervisor::stop_all(signal_source& signals) {
  bool hurry = false;
  for (auto at = members_.rbegin(); at != members_.rend(); ++at)
    stop(*at, signals, hurry);
}

void supervisor::stop(member& x, signal_source& signals, bool& hurry) {
  if (!x.process || !x.process->is_running())
    return;
  hooks_.progress("stopping " + x.what.name);
  const auto limit = now() + settings_.stop_limit;
  x.process->signal(SIGTERM);
  auto end = x.process->take_end();
  while (!end && !hurry && now() < limit) {
    // A second signal means that somebody does not want to wait.
    pollfd files[] = {{x.process->handle(), POLLIN, 0},
                      {signals.handle(), POLLIN, 0}};
    poll(files, 2, static_cast<int>(until(limit).count()));
    hurry = signals.take() != 0;
    end = x.process->take_end();
  }
  if (end) {
    hooks_.note("stopped " + x.what.name
                + (end->is_success() ? "" : ", which " + end->text()));
    return;
  }
  x.process.reset(); // kills it
  hooks_.note(fmt::format("killed {}, which did not stop {}", x.what.name,
                          hurry ? "at once"
                                : "in " + duration_text(settings_.stop_limit)));
}

int supervisor::wait(signal_source& signals, milliseconds limit) {
  std::vector<pollfd> files{{signals.handle(), POLLIN, 0}};
  for (const auto& x : members_)
    if (x.process && x.process->is_running())
      files.push_back({x.process->handle(), POLLIN, 0});
  poll(files.data(), files.size(), static_cast<int>(limit.count()));
  return signals.take();
}

void supervisor::tell_last_lines(const member& x) {
  if (!x.process)
    return;
  for (const auto& line : x.process->last_lines(last_lines_shown))
    hooks_.note("  " + x.what.name + " | " + line);
}

void supervisor::tell_running() {
  std::vector<std::string> lines;
  for (const auto& x : members_)
    if (x.process && x.process->is_running())
      lines.push_back(fmt::format("{} {}", x.what.name, x.process->pid()));
  hooks_.running(lines);
}

} // namespace forkfleet::shell
