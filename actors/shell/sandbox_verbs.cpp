// SPDX-License-Identifier: Apache-2.0
// restore, stop: children of snapshots, and their end.
#include "actors/shell/child_options.hpp"
#include "actors/shell/child_watch.hpp"
#include "actors/shell/clock.hpp"
#include "actors/shell/connection.hpp"
#include "actors/shell/figures.hpp"
#include "actors/shell/signals.hpp"
#include "actors/shell/verb.hpp"

namespace forkfleet::shell {
namespace {

constexpr std::chrono::milliseconds restore_limit{60'000};
constexpr std::chrono::milliseconds answer_slack{5000};

void print_child(session& io, const config::invocation& given,
                 const restore_report& x) {
  const auto format = format_of(given);
  if (is_json(format)) {
    print_json(io, format, schema::to_json(x));
    return;
  }
  if (x.outcome) {
    tell(io, given, x.outcome);
    return;
  }
  const auto& child = x.sandbox;
  if (format == output_format::name) {
    io.out << child.id.value << '\n';
    return;
  }
  const bool is_ready = !child.identity.entropy.empty();
  const bool runs = child.state == sandbox_state::running;
  io.out << printable(child.id.value)
         << (is_ready ? " is ready on "
             : runs   ? " runs on "
                      : " starts on ")
         << printable(child.host.value) << ", a child of "
         << printable(x.tag.value) << '\n';
  if (is_ready)
    io.out << "hostname " << printable(child.identity.hostname)
           << "\nmachine-id " << printable(child.identity.machine_id)
           << "\nentropy by " << printable(child.identity.entropy) << '\n';
  io.out << "total " << duration_text(x.total, io.screen.utf8) << '\n';
  if (!child.console.empty())
    io.out << "console " << printable(child.console) << '\n';
}

exit_code run_restore(session& io, const config::invocation& given) {
  auto reached = reach_fleet(io, given);
  if (!reached)
    return reached.error();
  const auto input = child_input_of(given);
  if (!input)
    return tell(io, given, input.error());
  const auto deadline = given.duration("deadline").value_or(restore_limit);
  restore_request request{.operation = {given.text("operation")},
                          .tag = {given.positional("SNAPSHOT")},
                          .sandbox = {given.text("name")},
                          .deadline = deadline,
                          .wait = wait_of(given),
                          .input = *input,
                          .limits = limits_of(given)};
  if (request.operation.empty())
    request.operation = new_operation_id();
  const farewell words{"The restore goes on without us; see: forkfleet ls"};
  auto results = std::vector{
    reached->fleet.ask<restore_report>(request, deadline + answer_slack)};
  if (request.wait == restore_wait::automatic)
    watch_children(reached->fleet, results, timeout_of(given));
  const auto& report = results.front();
  if (!report)
    return tell(io, given, report.error());
  print_child(io, given, *report);
  return exit_code_of(report->outcome.code);
}

/// Asks for one thing that is answered by `done`, and says that it is done.
template <class Request>
exit_code ask_done(session& io, const config::invocation& given,
                   const Request& request, const std::string& sentence) {
  auto reached = reach_fleet(io, given);
  if (!reached)
    return reached.error();
  const auto answer = reached->fleet.ask<done>(request, timeout_of(given));
  if (!answer)
    return tell(io, given, answer.error());
  if (const auto format = format_of(given); is_json(format))
    print_json(io, format, schema::to_json(*answer));
  else if (sentence.starts_with(answer->note)) // also when there is none
    io.out << printable(sentence) << '\n';
  else
    io.out << printable(sentence + ": " + answer->note) << '\n';
  return exit_code::done;
}

exit_code run_stop(session& io, const config::invocation& given) {
  const auto name = given.positional("SANDBOX");
  return ask_done(io, given, stop_request{.sandbox = {name}},
                  "stopped " + name);
}

std::vector<config::option> restore_options() {
  using enum config::value_kind;
  auto all = std::vector<config::option>{
    {.name = "name",
     .kind = text,
     .placeholder = "SANDBOX",
     .doc = "The child's name; made up when left out."},
    {.name = "operation",
     .kind = text,
     .placeholder = "ID",
     .doc = "The operation's id; repeating one starts no second child."},
    {.name = "deadline",
     .kind = duration,
     .doc = "For the whole restore.",
     .initial = "60s",
     .min = 100,
     .max = 3'600'000},
  };
  for (auto& option : child_options())
    all.push_back(std::move(option));
  return all;
}

} // namespace

std::vector<verb> sandbox_verbs() {
  return {
    {.entry = {.path = "restore",
               .summary = "Start a child of a snapshot, as a new sandbox.",
               .options = restore_options(),
               .positionals = {{.name = "SNAPSHOT",
                                .doc = "The snapshot's tag."}},
               .examples = {"forkfleet restore try-a",
                            "forkfleet restore try-a --name child-1",
                            "forkfleet restore try-a --env TASK=7 --file "
                            "/root/task.json=task.json"},
               .details =
                 "Where the guest has an agent, its child is ready when it "
                 "acknowledged an identity of its own. Another one must have "
                 "run for a second, unless --wait says otherwise; one that "
                 "ends before is told as failed."},
     .run = run_restore},
    {.entry = {.path = "stop",
               .summary = "End a sandbox's VM.",
               .positionals = {{.name = "SANDBOX", .doc = "Which one."}},
               .examples = {"forkfleet stop child-1"}},
     .run = run_stop},
  };
}

} // namespace forkfleet::shell
