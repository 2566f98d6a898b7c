// SPDX-License-Identifier: Apache-2.0
// rm: a snapshot, and with --cascade all that needs it.
#include "actors/shell/cascade_plan.hpp"
#include "actors/shell/connection.hpp"
#include "actors/shell/table.hpp"
#include "actors/shell/verb.hpp"

namespace forkfleet::shell {
namespace {

/// What became of a step.
enum class step_end : unsigned char { planned, done, was_gone, failed };

std::string_view name_of(step_end x) {
  switch (x) {
    case step_end::planned:
      return "left";
    case step_end::done:
      return "done";
    case step_end::was_gone:
      return "was gone";
    case step_end::failed:
      return "failed";
  }
  return "left";
}

struct cascade_result {
  std::vector<cascade_step> steps = {};
  std::vector<step_end> ends = {};
  failure outcome = {};
};

const char* action_of(const cascade_step& x) {
  return x.is_snapshot ? "remove" : "stop";
}

void print_cascade(session& io, const config::invocation& given,
                   const cascade_result& x) {
  const auto format = format_of(given);
  auto list = schema::json::array();
  table shown{
    {{"STEP", align::right}, {"ACTION"}, {"NAME"}, {"WHY"}, {"STATE"}}};
  for (std::size_t i = 0; i < x.steps.size(); ++i) {
    const auto& step = x.steps[i];
    const auto state = std::string{name_of(x.ends[i])};
    list.push_back({{"action", action_of(step)},
                    {"name", step.name},
                    {"why", step.why},
                    {"state", state}});
    shown.add(
      {std::to_string(i + 1), action_of(step), step.name, step.why, state});
    if (format == output_format::name)
      io.out << step.name << '\n';
    else if (format == output_format::jsonl)
      print_json(io, format, list.back());
  }
  if (format == output_format::json)
    print_json(io, format, list);
  else if (format == output_format::table || format == output_format::wide)
    io.out << shown.render(io.screen);
}

/// Takes one step. What is gone already needs none: so the verb can be
/// repeated after a failure.
expected<done> take(client& fleet, const cascade_step& step,
                    milliseconds limit) {
  if (step.is_snapshot)
    return fleet.ask<done>(remove_request{.tag = {step.name}}, limit);
  return fleet.ask<done>(stop_request{.sandbox = {step.name}}, limit);
}

/// Stops at the first step that fails: what comes after it needs it gone.
void run_steps(client& fleet, milliseconds limit, cascade_result& x) {
  for (std::size_t i = 0; i < x.steps.size(); ++i) {
    const auto answer = take(fleet, x.steps[i], limit);
    if (answer) {
      x.ends[i] = step_end::done;
      continue;
    }
    const auto code = answer.error().code;
    if (code == ec::unknown_snapshot || code == ec::unknown_sandbox) {
      x.ends[i] = step_end::was_gone;
      continue;
    }
    x.ends[i] = step_end::failed;
    x.outcome = answer.error();
    return;
  }
}

std::size_t left_in(const cascade_result& x) {
  std::size_t result = 0;
  for (const auto end : x.ends)
    if (end == step_end::planned || end == step_end::failed)
      ++result;
  return result;
}

exit_code run_cascade(session& io, const config::invocation& given,
                      client& fleet, const snapshot_tag& tag) {
  const auto limit = timeout_of(given);
  const auto sandboxes = all_sandboxes(fleet, limit);
  if (!sandboxes)
    return tell(io, given, sandboxes.error());
  const auto snapshots = all_snapshots(fleet, limit);
  if (!snapshots)
    return tell(io, given, snapshots.error());
  cascade_result x{.steps = cascade_of(grow_tree(*sandboxes, *snapshots), tag)};
  x.ends.resize(x.steps.size(), step_end::planned);
  if (x.steps.empty())
    return tell(io, given, {ec::unknown_snapshot, tag.value});
  if (given.has("yes"))
    run_steps(fleet, limit, x);
  print_cascade(io, given, x);
  if (x.outcome) {
    tell(io, given, x.outcome,
         std::to_string(left_in(x)) + " of " + std::to_string(x.steps.size())
           + " are left, and what is left is whole; run it again to go on");
    return removal_code_of(x.outcome.code);
  }
  if (given.has("yes") || given.has("dry-run"))
    return exit_code::done;
  note(io, "nothing was done; give --yes to do all of it");
  return exit_code::usage;
}

exit_code run_rm(session& io, const config::invocation& given) {
  const snapshot_tag tag{given.positional("SNAPSHOT")};
  const bool is_cascade = given.has("cascade");
  if (!is_cascade && (given.has("yes") || given.has("dry-run")))
    return wrong_use(io, given, "--yes and --dry-run belong to --cascade");
  if (given.has("yes") && given.has("dry-run"))
    return wrong_use(io, given, "give --yes or --dry-run, not both");
  auto reached = reach_fleet(io, given);
  if (!reached)
    return reached.error();
  if (is_cascade)
    return run_cascade(io, given, reached->fleet, tag);
  const auto answer =
    reached->fleet.ask<done>(remove_request{.tag = tag}, timeout_of(given));
  if (!answer) {
    const auto code = tell(io, given, answer.error());
    return is_valid(tag) ? removal_code_of(answer.error().code) : code;
  }
  if (const auto format = format_of(given); is_json(format))
    print_json(io, format, schema::to_json(*answer));
  else
    io.out << printable("removed " + tag.value) << '\n';
  return exit_code::done;
}

} // namespace

std::vector<verb> removal_verbs() {
  return {
    {.entry =
       {.path = "rm",
        .summary = "Remove a snapshot from its host's disk.",
        .options = {{.name = "cascade",
                     .doc = "Also what needs it: children are stopped, diffs "
                            "over it removed, the deepest first. Shows the "
                            "plan, and does it only with --yes."},
                    {.name = "yes", .doc = "Do what the plan says."},
                    {.name = "dry-run", .doc = "Only show the plan."}},
        .positionals = {{.name = "SNAPSHOT", .doc = "The snapshot's tag."}},
        .examples = {"forkfleet rm try-a",
                     "forkfleet rm try-a --cascade --dry-run",
                     "forkfleet rm try-a --cascade --yes"},
        .details = "A snapshot that something needs is not removed without "
                   "--cascade, and we end with 6; forkfleet why-kept "
                   "tells what that is. A cascade that failed half-way can be "
                   "run again."},
     .run = run_rm}};
}

} // namespace forkfleet::shell
