// SPDX-License-Identifier: Apache-2.0
#include "actors/shell/launch.hpp"

#include <filesystem>
#include <optional>
#include <unistd.h>

#include <fmt/format.h>

#include "actors/shell/fleet_choice.hpp"
#include "actors/shell/run_lock.hpp"
#include "actors/shell/supervisor.hpp"

namespace forkfleet::shell {
namespace {

using std::chrono::milliseconds;

/// Short, so that a program that dies meanwhile is noticed soon.
constexpr milliseconds connect_limit{500};
constexpr milliseconds question_limit{1000};

expected<fleet_plan> make_plan(const loaded_fleet& fleet,
                               const launch_options& options,
                               const config::environment& env) {
  const auto coordinator = find_program("forkfleet-coordinator", env);
  if (!coordinator)
    return tl::unexpected{coordinator.error()};
  const auto node = find_program("forkfleet-node", env);
  if (!node)
    return tl::unexpected{node.error()};
  auto plan = plan_fleet(fleet.file, this_machine(),
                         {.fleet_path = fleet.path,
                          .coordinator_program = *coordinator,
                          .node_program = *node,
                          .log_directory = options.log_directory,
                          .leash = options.is_leashed ? getpid() : 0,
                          .stop_sandboxes = options.stop_sandboxes});
  if (plan.programs.empty())
    return fail(ec::invalid_request,
                "no part of the fleet " + fleet.file.name
                  + " runs on this machine: none of its addresses is ours");
  std::error_code problem;
  std::filesystem::create_directories(options.log_directory, problem);
  if (problem)
    return fail(ec::io_failed,
                options.log_directory + ": " + problem.message());
  return plan;
}

readiness ask_fleet(client& fleet, const config::fleet_file& file,
                    const fleet_plan& plan) {
  if (!fleet.connect())
    return {.text = "the coordinator"};
  const auto nodes = all_nodes(fleet, question_limit);
  const auto sandboxes = all_sandboxes(fleet, question_limit);
  if (!nodes || !sandboxes)
    return {.text = "the coordinator's answer"};
  return judge(file, plan, *nodes, *sandboxes);
}

std::string names(const std::vector<host_name>& hosts) {
  std::string text;
  for (const auto& x : hosts)
    text += (text.empty() ? "" : ", ") + x.value;
  return text;
}

std::string summary(const config::fleet_file& fleet, const fleet_plan& plan) {
  auto text = fmt::format("fleet {} is up: ", fleet.name);
  text += plan.has_coordinator ? "coordinator on " : "coordinator elsewhere, ";
  const auto& listen = fleet.coordinator.listen;
  text += listen.empty() ? to_string(settings_of(fleet).coordinator)
                         : listen.to_string();
  if (!plan.hosts.empty())
    text += "; nodes " + names(plan.hosts);
  if (!plan.elsewhere.empty())
    text += "; on other machines " + names(plan.elsewhere);
  return text;
}

} // namespace

std::string already_up(const config::fleet_file& fleet) {
  const int holder = lock_holder(fleet.state).value_or(0);
  return fmt::format("the fleet {} is up already: process {} keeps it; stop "
                     "it with forkfleet down",
                     fleet.name, holder);
}

exit_code keep_up(const loaded_fleet& fleet, const launch_options& options,
                  const config::environment& env, signal_source& signals,
                  const launch_reporter& reporter) {
  const auto give_up = [&](const failure& why) {
    reporter.note(to_string(why));
    return exit_code_of(why.code);
  };
  const auto lock = run_lock::take(fleet.file.state);
  if (!lock)
    return give_up(lock.error());
  if (!*lock) {
    reporter.note(already_up(fleet.file));
    return exit_code::conflict;
  }
  const auto plan = make_plan(fleet, options, env);
  if (!plan)
    return give_up(plan.error());
  auto reach = settings_of(fleet.file);
  reach.connect = connect_limit;
  std::optional<client> asker{std::in_place, reach};
  const supervisor_hooks hooks{
    .note = reporter.note,
    .progress = reporter.progress,
    .check = [&] { return ask_fleet(*asker, fleet.file, *plan); },
    .ready =
      [&] {
        asker.reset();
        if (auto noted = remember_fleet(fleet.path, env); !noted)
          reporter.note(to_string(noted.error()));
        reporter.ready(summary(fleet.file, *plan));
      },
    .running = [&](const auto& lines) { (*lock)->describe(lines); }};
  supervisor keeper{
    plan->programs, {.start_limit = options.start_limit}, hooks};
  return keeper.run(signals);
}

} // namespace forkfleet::shell
