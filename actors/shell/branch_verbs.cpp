// SPDX-License-Identifier: Apache-2.0
// branch, status, cancel: take snapshots of a running sandbox, ask what
// became of one, and end one before its time.
#include <future>
#include <optional>
#include <thread>
#include <unistd.h>

#include <fmt/format.h>

#include "actors/shell/branch_call.hpp"
#include "actors/shell/branch_print.hpp"
#include "actors/shell/branch_progress.hpp"
#include "actors/shell/branch_text.hpp"
#include "actors/shell/clock.hpp"
#include "actors/shell/connection.hpp"
#include "actors/shell/figures.hpp"
#include "actors/shell/progress.hpp"
#include "actors/shell/signals.hpp"
#include "actors/shell/verb.hpp"

namespace forkfleet::shell {
namespace {

/// What the tool waits for beyond the branch's own deadline.
constexpr milliseconds answer_slack{5000};
constexpr milliseconds deadline_unknown{60'000};
constexpr milliseconds draw_interval{100};
/// How many events back the pauses of earlier branches are looked for.
constexpr uint64_t history_events = 1000;

/// One run of the verb: some branches of one sandbox, one after the other.
class branch_run {
public:
  branch_run(session& io, const config::invocation& given,
             reached_fleet& reached)
    : io_{io}, given_{given}, fleet_{reached.fleet}, format_{format_of(given)},
      count_{given.number("count").value_or(1)}, line_{STDERR_FILENO,
                                                       io.messages} {
    const auto& where = reached.where;
    const auto usual =
      where.file ? where.file->branch.deadline : deadline_unknown;
    limit_ = given.duration("deadline").value_or(usual) + answer_slack;
    if (io.messages.is_tty)
      progress_.emplace(where.settings,
                        sandbox_id{given.positional("SANDBOX")});
  }

  exit_code run() {
    const auto interval = given_.duration("interval").value_or(milliseconds{0});
    for (uint64_t i = 0; i < count_; ++i) {
      if (i > 0)
        std::this_thread::sleep_for(interval);
      if (!one(request(i)))
        break;
    }
    line_.clear();
    return finish();
  }

private:
  branch_request request(uint64_t i) const {
    branch_request result{
      .operation = {numbered(given_.text("operation"), i, count_)},
      .sandbox = {given_.positional("SANDBOX")},
      .tag = {numbered(given_.text("tag"), i, count_)},
      .deadline = given_.duration("deadline").value_or(milliseconds{0}),
      .max_pause = given_.duration("max-pause").value_or(milliseconds{0}),
      .labels = given_.texts("label"),
      .note = given_.text("note")};
    if (result.operation.empty())
      result.operation = new_operation_id();
    const auto mode = given_.text("mode");
    for (const auto& entry : enum_table(branch_mode{}))
      if (entry.name == mode)
        result.mode = entry.value;
    return result;
  }

  /// Takes one branch. False: it did not end well.
  bool one(const branch_request& x) {
    const auto& id = x.operation.value;
    const farewell words{"The branch goes on without us. Ask how it ended: "
                         "forkfleet status "
                         + id + ", or end it: forkfleet cancel " + id};
    auto report = watched(x);
    line_.clear();
    outcomes_.push_back(report ? report->outcome.code : report.error().code);
    if (!report) {
      results_.refused = report.error();
      return false;
    }
    if (format_ == output_format::jsonl)
      print_json(io_, format_, schema::to_json(*report));
    results_.reports.push_back(std::move(*report));
    return outcomes_.back() == ec::none;
  }

  expected<branch_report> ask(const branch_request& x) {
    const branch_calls calls{
      .branch =
        [this](const branch_request& request, milliseconds limit) {
          return fleet_.ask<branch_report>(request, limit);
        },
      .query =
        [this](const operation_query& query, milliseconds limit) {
          return fleet_.ask<operation_status>(query, limit);
        },
      .now = now,
      .wait = [](milliseconds x_) { std::this_thread::sleep_for(x_); }};
    return branch_until_known(x, limit_, calls);
  }

  /// Asks while the progress line moves.
  expected<branch_report> watched(const branch_request& x) {
    if (!progress_)
      return ask(x);
    const auto start = now();
    auto answer = std::async(std::launch::async, [this, &x] { return ask(x); });
    while (answer.wait_for(draw_interval) != std::future_status::ready) {
      const auto passed =
        std::chrono::duration_cast<microseconds>(now() - start);
      const auto stage = progress_->stage_now();
      line_.show(fmt::format(
        "branch of {}{}{}  {}", x.sandbox.value,
        count_ > 1 ? fmt::format(" {}/{}", outcomes_.size() + 1, count_) : "",
        stage.empty() ? "" : ": " + stage,
        duration_text(passed, io_.messages.utf8)));
    }
    return answer.get();
  }

  exit_code finish() {
    const bool is_single = count_ == 1;
    const bool is_table =
      format_ == output_format::table || format_ == output_format::wide;
    // One report alone says little of the pauses; earlier ones help.
    if (is_single && is_table && !results_.reports.empty())
      results_.earlier_pauses = recent_pauses();
    print_branches(io_, format_, results_, is_single);
    const bool is_told = is_json(format_) && !results_.reports.empty();
    if (results_.refused && !is_told)
      tell(io_, given_, *results_.refused);
    return exit_code_of(outcomes_);
  }

  /// Also of branches before this one, as far as the events remember.
  std::vector<microseconds> recent_pauses() {
    const auto limit = timeout_of(given_);
    const auto latest =
      fleet_.ask<event_list>(events_request{.from_now = true}, limit);
    if (!latest)
      return {};
    const auto back = std::min(latest->latest, history_events);
    events_request next{.after = latest->latest - back};
    std::vector<fleet_event> events;
    while (next.after < latest->latest) {
      const auto page = fleet_.ask<event_list>(next, limit);
      if (!page || page->events.empty())
        break;
      events.insert(events.end(), page->events.begin(), page->events.end());
      next.after = page->latest;
    }
    return pauses_in(events, {given_.positional("SANDBOX")});
  }

  session& io_;
  const config::invocation& given_;
  client& fleet_;
  output_format format_;
  uint64_t count_;
  progress_line line_;
  milliseconds limit_{0};
  std::optional<branch_progress> progress_;
  branch_results results_;
  std::vector<ec> outcomes_;
};

exit_code run_branch(session& io, const config::invocation& given) {
  auto reached = reach_fleet(io, given);
  if (!reached)
    return reached.error();
  return branch_run{io, given, *reached}.run();
}

/// What the state of an operation means to a script.
exit_code state_code(const operation_status& x) {
  switch (x.state) {
    case operation_state::unknown:
      return exit_code::not_found;
    case operation_state::running:
      return exit_code::done;
    case operation_state::ended:
      return exit_code_of(x.report.outcome.code);
  }
  return exit_code::failed;
}

exit_code run_status(session& io, const config::invocation& given) {
  auto reached = reach_fleet(io, given);
  if (!reached)
    return reached.error();
  const operation_query query{{given.positional("OPERATION")}};
  const auto known =
    reached->fleet.ask<operation_status>(query, timeout_of(given));
  if (!known)
    return tell(io, given, known.error());
  if (const auto format = format_of(given); is_json(format))
    print_json(io, format, schema::to_json(*known));
  else if (known->state == operation_state::ended)
    io.out << report_text(known->report, io.screen);
  else
    io.out << printable(query.operation.value) << " is "
           << schema::name_of(known->state) << '\n';
  return state_code(*known);
}

/// Asks until the operation has ended or `limit` has passed.
expected<operation_status> await_end(client& fleet, const operation_id& id,
                                     milliseconds limit) {
  const auto until = now() + limit;
  for (;;) {
    auto known = fleet.ask<operation_status>(operation_query{id}, limit);
    const bool is_open = known && known->state == operation_state::running;
    if (!is_open || now() >= until)
      return known;
    std::this_thread::sleep_for(draw_interval);
  }
}

/// What came of it, in a sentence.
std::string cancel_text(const operation_status& x, const std::string& note) {
  const auto& id = x.operation.value;
  const auto& outcome = x.report.outcome.code;
  if (x.state == operation_state::running)
    return id + " ends as soon as its guest runs; see: forkfleet status " + id;
  if (x.state == operation_state::unknown || outcome == ec::cancelled)
    return "cancelled " + id;
  const auto how = outcome == ec::none ? "sealed as " + x.report.tag.value
                                       : to_string(x.report.outcome);
  return id + ": " + (note.empty() ? "it had ended before: " + how : note);
}

/// Ends with a conflict when the snapshot is there all the same.
exit_code run_cancel(session& io, const config::invocation& given) {
  auto reached = reach_fleet(io, given);
  if (!reached)
    return reached.error();
  const operation_id id{given.positional("OPERATION")};
  const auto limit = timeout_of(given);
  auto& fleet = reached->fleet;
  const auto answer = fleet.ask<done>(cancel_request{.operation = id}, limit);
  if (!answer)
    return tell(io, given, answer.error());
  const auto known = await_end(fleet, id, limit);
  if (!known)
    return tell(io, given, known.error());
  if (const auto format = format_of(given); is_json(format))
    print_json(io, format, schema::to_json(*known));
  else
    io.out << printable(cancel_text(*known, answer->note)) << '\n';
  const bool is_sealed =
    known->state == operation_state::ended && !known->report.outcome;
  return is_sealed ? exit_code::conflict : exit_code::done;
}

std::vector<config::option> branch_options() {
  using enum config::value_kind;
  return {
    {.name = "tag",
     .kind = text,
     .placeholder = "NAME",
     .doc = "The snapshot's name; made up when left out. With --count, -1, "
            "-2, ... is added."},
    {.name = "mode",
     .kind = choice,
     .doc = "What is captured: all memory, what changed since the snapshot "
            "before, all memory while the guest runs on, or what is cheapest.",
     .initial = "auto",
     .choices = {"auto", "full", "diff", "live"}},
    {.name = "max-pause",
     .kind = duration,
     .doc = "The pause that is wished for: a branch that would need a longer "
            "one waits for a better moment, or is refused; default: the "
            "fleet's.",
     .min = 1,
     .max = 60'000},
    {.name = "label",
     .kind = text,
     .placeholder = "KEY=VALUE",
     .doc = "A label of the snapshot; may be given several times.",
     .repeatable = true},
    {.name = "note",
     .kind = text,
     .placeholder = "TEXT",
     .doc = "One line that is kept with the snapshot."},
    {.name = "operation",
     .kind = text,
     .placeholder = "ID",
     .doc = "The operation's id. Repeating one gives the first outcome and "
            "does not branch again."},
    {.name = "deadline",
     .kind = duration,
     .doc = "For each whole branch; default: the fleet's.",
     .min = 100,
     .max = 3'600'000},
    {.name = "count",
     .kind = number,
     .placeholder = "N",
     .doc = "How many branches, one after the other.",
     .initial = "1",
     .min = 1,
     .max = 10'000},
    {.name = "interval",
     .kind = duration,
     .doc = "From the end of one to the start of the next.",
     .initial = "0s",
     .max = 3'600'000},
  };
}

} // namespace

std::vector<verb> branch_verbs() {
  return {
    {.entry =
       {.path = "branch",
        .summary = "Take a snapshot of a running sandbox, which runs on.",
        .options = branch_options(),
        .positionals = {{.name = "SANDBOX", .doc = "The sandbox to branch."}},
        .examples = {"forkfleet branch web", "forkfleet branch web --tag try-a",
                     "forkfleet branch web --mode diff --max-pause 20ms",
                     "forkfleet branch web --count 10 --interval 1s"}},
     .run = run_branch},
    {.entry = {.path = "status",
               .summary = "Ask what became of a branch.",
               .positionals = {{.name = "OPERATION",
                                .doc = "The operation's id."}},
               .examples = {"forkfleet status op-1"}},
     .run = run_status},
    {.entry = {.path = "cancel",
               .summary = "End a branch before its time; its guest runs on.",
               .positionals = {{.name = "OPERATION",
                                .doc = "The operation's id."}},
               .examples = {"forkfleet cancel op-1"},
               .details = "One that waits never starts, one that runs leaves "
                          "nothing. Ends with 6 when it was too late and the "
                          "snapshot is sealed."},
     .run = run_cancel},
  };
}

} // namespace forkfleet::shell
