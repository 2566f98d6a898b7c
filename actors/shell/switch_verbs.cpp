// SPDX-License-Identifier: Apache-2.0
// rollback, promote: another VM under a sandbox' name.
#include <optional>
#include <thread>

#include "actors/shell/branch_call.hpp"
#include "actors/shell/clock.hpp"
#include "actors/shell/connection.hpp"
#include "actors/shell/figures.hpp"
#include "actors/shell/signals.hpp"
#include "actors/shell/verb.hpp"

namespace forkfleet::shell {
namespace {

constexpr milliseconds usual_deadline{60'000};
/// Beyond the deadline: the VM that was replaced is ended.
constexpr milliseconds answer_slack{130'000};
constexpr std::size_t suffix_length = 12;
constexpr std::string_view safety_suffix = "-safety";

/// The branch of the state that a rollback gives up. The same for a rollback
/// that is asked again with its operation.
branch_request safety_branch(const rollback_request& x, milliseconds deadline) {
  const auto& id = x.operation.value;
  const auto end = id.size() > suffix_length ? id.size() - suffix_length : 0;
  const auto most = operation_id_tag::length_max - safety_suffix.size();
  return {.operation = {id.substr(0, most) + std::string{safety_suffix}},
          .sandbox = x.sandbox,
          .tag = {x.sandbox.value + "-before-" + id.substr(end)},
          .deadline = deadline,
          .labels = {"safety=rollback"},
          .note = "before its rollback to " + x.tag.value};
}

expected<branch_report> take_branch(client& fleet, const branch_request& x) {
  const branch_calls calls{
    .branch =
      [&fleet](const branch_request& request, milliseconds limit) {
        return fleet.ask<branch_report>(request, limit);
      },
    .query =
      [&fleet](const operation_query& query, milliseconds limit) {
        return fleet.ask<operation_status>(query, limit);
      },
    .now = now,
    .wait = [](milliseconds x_) { std::this_thread::sleep_for(x_); }};
  return branch_until_known(x, x.deadline + milliseconds{5000}, calls);
}

/// Prints how a switch ended; `sentence` says what was done.
exit_code print_switch(session& io, const config::invocation& given,
                       const expected<restore_report>& x,
                       const std::string& sentence,
                       const snapshot_tag& safety = {}) {
  if (!x)
    return tell(io, given, x.error());
  const auto format = format_of(given);
  if (is_json(format)) {
    auto value = schema::to_json(*x);
    if (!safety.empty())
      value["safety"] = safety.value;
    print_json(io, format, value);
  } else if (x->outcome) {
    tell(io, given, x->outcome);
  } else if (format == output_format::name) {
    io.out << printable(x->sandbox.id.value) << '\n';
  } else {
    io.out << printable(sentence) << " on " << printable(x->sandbox.host.value)
           << '\n';
    if (!safety.empty())
      io.out << "the state before is " << printable(safety.value) << '\n';
    io.out << "total " << duration_text(x->total, io.screen.utf8) << '\n';
  }
  return exit_code_of(x->outcome.code);
}

operation_id operation_of(const config::invocation& given) {
  const operation_id result{given.text("operation")};
  return result.empty() ? new_operation_id() : result;
}

/// Why the state that is given up could not be kept; none when it was.
failure keep_state(client& fleet, const branch_request& x) {
  const auto report = take_branch(fleet, x);
  auto why = report ? report->outcome : report.error();
  if (why)
    why.message += "; the rollback was not begun: its safety branch failed "
                   "(--no-safety goes without)";
  return why;
}

exit_code run_rollback(session& io, const config::invocation& given) {
  auto reached = reach_fleet(io, given);
  if (!reached)
    return reached.error();
  const auto deadline = given.duration("deadline").value_or(usual_deadline);
  const rollback_request request{.operation = operation_of(given),
                                 .sandbox = {given.positional("SANDBOX")},
                                 .tag = {given.positional("SNAPSHOT")},
                                 .force = given.has("force"),
                                 .deadline = deadline};
  const farewell words{"The rollback goes on without us; see: forkfleet ls"};
  auto safety = snapshot_tag{};
  if (!given.has("no-safety")) {
    const auto branch = safety_branch(request, deadline);
    if (const auto why = keep_state(reached->fleet, branch))
      return tell(io, given, why);
    safety = branch.tag;
  }
  const auto report =
    reached->fleet.ask<restore_report>(request, deadline + answer_slack);
  return print_switch(
    io, given, report,
    request.sandbox.value + " is back at " + request.tag.value, safety);
}

exit_code run_promote(session& io, const config::invocation& given) {
  auto reached = reach_fleet(io, given);
  if (!reached)
    return reached.error();
  const auto deadline = given.duration("deadline").value_or(usual_deadline);
  const promote_request request{.operation = operation_of(given),
                                .sandbox = {given.positional("CHILD")},
                                .deadline = deadline};
  const farewell words{"The promotion goes on without us; see: forkfleet ls"};
  const auto report =
    reached->fleet.ask<restore_report>(request, deadline + answer_slack);
  return print_switch(io, given, report,
                      request.sandbox.value + " is now "
                        + (report ? report->sandbox.id.value : ""));
}

std::vector<config::option> switch_options(const char* what) {
  using enum config::value_kind;
  return {
    {.name = "operation",
     .kind = text,
     .placeholder = "ID",
     .doc = "The operation's id; repeating one does it once."},
    {.name = "deadline",
     .kind = duration,
     .doc = what,
     .initial = "60s",
     .min = 100,
     .max = 3'600'000},
  };
}

config::verb_entry rollback_entry() {
  auto options = switch_options("For the branch, and for the new VM's start.");
  options.push_back({.name = "force",
                     .doc = "Take any snapshot of the same shape, not only "
                            "one of the sandbox' own lineage."});
  options.push_back({.name = "no-safety",
                     .doc = "Give up the present state: take no branch of it "
                            "before."});
  return {
    .path = "rollback",
    .summary = "Put a sandbox back to a snapshot, in place.",
    .options = std::move(options),
    .positionals = {{.name = "SANDBOX", .doc = "Which one."},
                    {.name = "SNAPSHOT", .doc = "The snapshot's tag."}},
    .examples = {"forkfleet rollback web before-deploy",
                 "forkfleet rollback web before-deploy --no-safety"},
    .details =
      "Name and host stay; its run files lie in a new directory. A branch is "
      "taken of the state before, and its tag is printed. The new VM runs "
      "before the old one is ended: when something fails, the sandbox is as "
      "it was. What the guest does between the branch and the end is lost."};
}

config::verb_entry promote_entry() {
  return {
    .path = "promote",
    .summary = "Give a child its source's name, and end the source.",
    .options = switch_options("For the whole promotion."),
    .positionals = {{.name = "CHILD", .doc = "A child of a snapshot."}},
    .examples = {"forkfleet promote fix-1"},
    .details =
      "The source is the sandbox that the child's snapshot was taken of. Its "
      "snapshots stay, its VM is ended; the child's VM runs on under its "
      "name. When the source is gone the child just takes the name. The "
      "guest is not told: a hostname that it has stays. Both must be on one "
      "host."};
}

} // namespace

std::vector<verb> switch_verbs() {
  return {
    {.entry = rollback_entry(), .run = run_rollback},
    {.entry = promote_entry(), .run = run_promote},
  };
}

} // namespace forkfleet::shell
