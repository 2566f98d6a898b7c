// SPDX-License-Identifier: Apache-2.0
// up, down: a whole fleet on this machine, or this machine's part of one.
#include <algorithm>
#include <filesystem>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <fmt/format.h>

#include "actors/shell/clock.hpp"
#include "actors/shell/detach.hpp"
#include "actors/shell/fleet_choice.hpp"
#include "actors/shell/launch.hpp"
#include "actors/shell/progress.hpp"
#include "actors/shell/run_lock.hpp"
#include "actors/shell/verb.hpp"

namespace forkfleet::shell {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// For each program that a fleet must stop.
constexpr seconds stop_limit{50};
constexpr int poll_step_ms = 200;

/// The file that FILE or the options name.
tl::expected<loaded_fleet, exit_code>
fleet_of(session& io, const config::invocation& given) {
  if (const auto path = given.positional("FILE"); !path.empty())
    return load_fleet(io, given, path);
  const auto choice =
    choose_fleet({.fleet = given.text("fleet")}, io.env, real_files());
  if (!choice)
    return tl::unexpected{tell(io, given, choice.error())};
  return load_fleet(io, given, choice->path);
}

launch_options options_of(const config::invocation& given,
                          const loaded_fleet& fleet) {
  const bool is_detached = given.has("detach");
  const auto log =
    given.has("log") ? given.text("log") : fleet.file.state + "/log";
  std::error_code ignored;
  const auto absolute = std::filesystem::absolute(log, ignored);
  return {.log_directory = absolute.string(),
          .is_leashed = !is_detached,
          .stop_sandboxes = !given.has("keep-sandboxes"),
          .start_limit = given.duration("start-limit").value_or(seconds{120})};
}

exit_code run_up(session& io, const config::invocation& given) {
  const bool is_detached = given.has("detach");
  if (given.has("keep-sandboxes") && !is_detached)
    return wrong_use(io, given,
                     "--keep-sandboxes goes with --detach: without "
                     "it, sandboxes end with this process");
  const auto fleet = fleet_of(io, given);
  if (!fleet)
    return fleet.error();
  // What cannot be looked at is refused when the lock is taken.
  if (lock_holder(fleet->file.state).value_or(0) != 0) {
    note(io, "forkfleet: " + already_up(fleet->file));
    return exit_code::conflict;
  }
  progress_line line{STDERR_FILENO, io.messages};
  const launch_reporter reporter{
    .note =
      [&](const std::string& text) {
        line.clear();
        note(io, text);
      },
    .progress = [&](const std::string& text) { line.show(text); },
    .ready =
      [&](const std::string& text) {
        line.clear();
        io.out << printable(text) << std::endl;
      }};
  const auto options = options_of(given, *fleet);
  if (!is_detached) {
    signal_source signals;
    return keep_up(*fleet, options, io.env, signals, reporter);
  }
  if (auto made = make_state_directory(fleet->file.state); !made)
    return tell(io, given, made.error());
  const auto started = run_detached(
    fleet->file.state + "/up.log",
    [&](signal_source& signals, const launch_reporter& to) {
      return keep_up(*fleet, options, io.env, signals, to);
    },
    reporter);
  line.clear();
  if (!started)
    return tell(io, given, started.error());
  if (started->code == exit_code::done)
    io.out << "process " << started->pid
           << " keeps it; stop it with: forkfleet down "
           << printable(fleet->path) << '\n';
  return started->code;
}

/// Waits until the process behind `process` has ended.
bool await_end(const unique_fd& process, time_point limit,
               progress_line& line) {
  while (now() < limit) {
    pollfd ended{process.get(), POLLIN, 0};
    if (poll(&ended, 1, poll_step_ms) > 0)
      return true;
    line.show("stopping the fleet");
  }
  return false;
}

exit_code run_down(session& io, const config::invocation& given) {
  const auto fleet = fleet_of(io, given);
  if (!fleet)
    return fleet.error();
  const auto& state = fleet->file.state;
  const auto& name = fleet->file.name;
  const auto running = lock_text(state);
  const auto found = open_lock_holder(state);
  if (!found)
    return tell(io, given, found.error());
  const auto& keeper = *found;
  if (!keeper) {
    note(io, "the fleet " + name + " is not up; nothing to stop");
    return exit_code::done;
  }
  if (syscall(SYS_pidfd_send_signal, keeper.get(), SIGTERM, nullptr, 0) != 0)
    return tell(io, given,
                errno_failure(errno, "the process that keeps " + name,
                              ec::not_permitted));
  progress_line line{STDERR_FILENO, io.messages};
  const auto programs = static_cast<int>(running.size()) + 1;
  const auto patience = given.has("timeout")
                          ? timeout_of(given)
                          : milliseconds{stop_limit * programs};
  const bool is_down = await_end(keeper, now() + patience, line);
  line.clear();
  if (!is_down)
    return tell(
      io, given,
      {ec::deadline_exceeded,
       "the fleet " + name + " has not stopped yet; see " + state + "/up.log"});
  for (auto at = running.rbegin(); at != running.rend(); ++at)
    io.out << "stopped " << printable(at->substr(0, at->rfind(' '))) << '\n';
  io.out << "fleet " << printable(name) << " is down\n";
  return exit_code::done;
}

std::vector<config::option> up_options() {
  using enum config::value_kind;
  return {{.name = "detach",
           .letter = 'd',
           .doc = "Return when the fleet is ready and leave it running."},
          {.name = "log",
           .kind = text,
           .placeholder = "DIR",
           .doc = "Where the programs' logs go; default: log in the fleet's "
                  "state directory."},
          {.name = "start-limit",
           .kind = duration,
           .doc = "How long the fleet may take to be ready.",
           .initial = "120s",
           .min = 1000,
           .max = 3'600'000},
          {.name = "keep-sandboxes",
           .doc = "With --detach: sandboxes run on when the fleet is stopped, "
                  "and are found again by the next up."}};
}

} // namespace

std::vector<verb> up_verbs() {
  const config::positional file{
    .name = "FILE", .doc = "The fleet file; default: as --fleet.", .least = 0};
  return {
    {.entry = {.path = "up",
               .summary =
                 "Start a fleet's programs on this machine and keep them "
                 "running.",
               .options = up_options(),
               .positionals = {file},
               .examples = {"forkfleet up fleet.yaml",
                            "forkfleet up fleet.yaml --detach"},
               .details =
                 "Starts the coordinator and the nodes whose addresses are "
                 "this machine's, waits until all nodes are up and all "
                 "declared sandboxes run, and starts a program again that "
                 "dies. Ctrl-C stops all of them in reverse; a second "
                 "Ctrl-C does not wait. Being stopped so is no failure: the "
                 "exit code is 0."},
     .run = run_up},
    {.entry = {.path = "down",
               .summary = "Stop a fleet that up started.",
               .positionals = {file},
               .examples = {"forkfleet down fleet.yaml"}},
     .run = run_down},
  };
}

} // namespace forkfleet::shell
