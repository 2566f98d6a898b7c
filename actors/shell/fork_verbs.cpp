// SPDX-License-Identifier: Apache-2.0
// fork: many children of one snapshot.
#include <algorithm>
#include <fstream>
#include <iostream>
#include <memory>
#include <thread>
#include <unistd.h>
#include <vector>

#include <fmt/format.h>

#include "actors/shell/child_options.hpp"
#include "actors/shell/child_watch.hpp"
#include "actors/shell/clock.hpp"
#include "actors/shell/connection.hpp"
#include "actors/shell/figures.hpp"
#include "actors/shell/fork_children.hpp"
#include "actors/shell/progress.hpp"
#include "actors/shell/signals.hpp"
#include "actors/shell/table.hpp"
#include "actors/shell/verb.hpp"

namespace forkfleet::shell {
namespace {

constexpr milliseconds child_limit{60'000};
constexpr milliseconds fork_slack{5000};
constexpr std::size_t children_max = 1000;

/// The lines of --input; as many empty ones as --count says without it.
expected<std::vector<child_line>> lines_of(const config::invocation& given) {
  const auto path = given.text("input");
  if (path.empty())
    return std::vector<child_line>(given.number("count").value_or(1));
  if (path == "-")
    return read_child_lines(std::cin, "standard input", children_max);
  std::ifstream file{path};
  if (!file)
    return tl::unexpected(errno_failure(errno, "--input " + path));
  return read_child_lines(file, path, children_max);
}

/// The name of a child whose line has none.
std::string name_of(const config::invocation& given, const child_line& line,
                    std::size_t number, std::size_t count) {
  return line.name.empty() ? numbered(given.text("name"), number, count)
                           : line.name;
}

std::vector<restore_request> requests_of(const config::invocation& given,
                                         const std::vector<child_line>& lines,
                                         const child_input& all,
                                         milliseconds deadline) {
  const auto count = lines.size();
  const auto snapshot = given.positional("SNAPSHOT");
  const auto operation = given.text("operation");
  std::vector<restore_request> result;
  for (std::size_t i = 0; i < count; ++i) {
    result.push_back({.operation = {numbered(operation, i, count)},
                      .tag = {snapshot},
                      .sandbox = {name_of(given, lines[i], i, count)},
                      .deadline = deadline,
                      .wait = wait_of(given),
                      .input = merge(all, lines[i].input),
                      .limits = limits_of(given)});
    if (operation.empty())
      result.back().operation = new_operation_id();
  }
  return result;
}

failure outcome_of(const expected<restore_report>& x) {
  return x ? x->outcome : x.error();
}

/// What a script reads of one child: its report, or the error with the name
/// and the operation that were asked for.
schema::json child_json(const restore_request& asked,
                        const expected<restore_report>& x) {
  if (x)
    return schema::to_json(*x);
  auto result = error_json(x.error());
  result["sandbox"] = asked.sandbox.value;
  result["operation"] = asked.operation.value;
  return result;
}

/// One run of the verb.
class fork_run {
public:
  fork_run(session& io, const config::invocation& given,
           const fleet_address& where, const std::vector<child_line>& lines,
           const child_input& all)
    : io_{io}, given_{given}, where_{where}, format_{format_of(given)},
      deadline_{given.duration("deadline").value_or(child_limit)},
      requests_{requests_of(given, lines, all, deadline_)}, line_{STDERR_FILENO,
                                                                  io.messages} {
  }

  exit_code run() {
    const farewell words{"The children that were asked for go on without us; "
                         "see: forkfleet ls"};
    const auto begun = now();
    const fork_calls calls{
      .connect = [this] { return own_connection(); },
      .now = now,
      .wait = [](milliseconds x) { std::this_thread::sleep_for(x); },
      .ended =
        [this](std::size_t number, const expected<restore_report>& x) {
          note_end(number, x);
        }};
    results_ = fork_children(
      requests_,
      {.in_flight =
         given_.number("in-flight").value_or(fork_limits{}.in_flight),
       .each = deadline_ + fork_slack},
      calls);
    if (wait_of(given_) == restore_wait::automatic)
      watch();
    line_.clear();
    print(std::chrono::duration_cast<microseconds>(now() - begun));
    std::vector<ec> outcomes;
    for (const auto& x : results_)
      outcomes.push_back(outcome_of(x).code);
    return exit_code_of(outcomes);
  }

private:
  fork_calls::ask own_connection() const {
    auto fleet = std::make_shared<client>(where_.settings);
    return [fleet](const restore_request& request, milliseconds limit) {
      return fleet->ask<restore_report>(request, limit);
    };
  }

  void watch() {
    auto fleet = client{where_.settings};
    watch_children(fleet, results_, timeout_of(given_));
  }

  void note_end(std::size_t number, const expected<restore_report>& x) {
    ++ended_;
    failed_ += outcome_of(x) ? 1 : 0;
    if (format_ == output_format::jsonl)
      print_json(io_, format_, child_json(requests_[number], x));
    if (io_.messages.is_tty)
      line_.show(
        fmt::format("children of {}: {}/{}{}", given_.positional("SNAPSHOT"),
                    ended_, requests_.size(),
                    failed_ > 0 ? fmt::format(", {} failed", failed_) : ""));
  }

  void print(microseconds elapsed) const {
    if (format_ == output_format::jsonl)
      return;
    if (format_ == output_format::json)
      return print_all_json();
    if (format_ == output_format::name)
      return print_names();
    print_table();
    print_summary(elapsed);
  }

  void print_all_json() const {
    auto all = schema::json::array();
    for (std::size_t i = 0; i < results_.size(); ++i)
      all.push_back(child_json(requests_[i], results_[i]));
    print_json(io_, format_, all);
  }

  void print_names() const {
    for (std::size_t i = 0; i < results_.size(); ++i)
      if (const auto wrong = outcome_of(results_[i]))
        tell(io_, given_, wrong);
      else
        io_.out << results_[i]->sandbox.id.value << '\n';
  }

  void print_table() const {
    const bool have_addresses =
      std::ranges::any_of(results_, [](const auto& x) {
        return x && !x->sandbox.network.address.empty();
      });
    auto columns =
      std::vector<column>{{"CHILD"}, {"NODE"}, {"STARTED", align::right}};
    if (have_addresses)
      columns.push_back({"ADDRESS"});
    columns.push_back({"NOTE"});
    table all{columns};
    for (std::size_t i = 0; i < results_.size(); ++i) {
      const auto wrong = outcome_of(results_[i]);
      auto cells = std::vector<cell>{};
      if (wrong)
        cells = {requests_[i].sandbox.value, "", ""};
      else
        cells = {results_[i]->sandbox.id.value, results_[i]->sandbox.host.value,
                 duration_text(results_[i]->total, io_.screen.utf8)};
      if (have_addresses)
        cells.push_back(wrong ? "" : results_[i]->sandbox.network.address);
      cells.push_back(wrong ? cell{to_string(wrong), tone::bad}
                            : cell{results_[i]->sandbox.note});
      all.add(cells);
    }
    io_.out << all.render(io_.screen);
  }

  void print_summary(microseconds elapsed) const {
    std::vector<microseconds> times;
    std::vector<microseconds> ready;
    for (const auto& x : results_) {
      if (outcome_of(x))
        continue;
      times.push_back(x->started);
      if (!x->sandbox.identity.entropy.empty())
        ready.push_back(x->total);
    }
    const auto text = [this](microseconds x) {
      return duration_text(x, io_.screen.utf8);
    };
    io_.out << fmt::format("{} of {} children of {} run", times.size(),
                           results_.size(),
                           printable(given_.positional("SNAPSHOT")));
    if (!times.empty())
      io_.out << fmt::format("; started p50 {}  p90 {}  max {}, all in {}",
                             text(percentile(times, 50)),
                             text(percentile(times, 90)),
                             text(percentile(times, 100)), text(elapsed));
    if (!ready.empty())
      io_.out << fmt::format("\n{} ready; p50 {}  p90 {}  max {}", ready.size(),
                             text(percentile(ready, 50)),
                             text(percentile(ready, 90)),
                             text(percentile(ready, 100)));
    io_.out << '\n';
  }

  session& io_;
  const config::invocation& given_;
  const fleet_address& where_;
  output_format format_;
  milliseconds deadline_;
  std::vector<restore_request> requests_;
  progress_line line_;
  std::vector<expected<restore_report>> results_ = {};
  std::size_t ended_ = 0;
  std::size_t failed_ = 0;
};

exit_code run_fork(session& io, const config::invocation& given) {
  auto reached = reach_fleet(io, given);
  if (!reached)
    return reached.error();
  const auto lines = lines_of(given);
  if (!lines)
    return tell(io, given, lines.error());
  const auto all = child_input_of(given);
  if (!all)
    return tell(io, given, all.error());
  return fork_run{io, given, reached->where, *lines, *all}.run();
}

std::vector<config::option> fork_options() {
  using enum config::value_kind;
  auto all = std::vector<config::option>{
    {.name = "count",
     .kind = number,
     .placeholder = "N",
     .doc = "How many children.",
     .initial = "1",
     .min = 1,
     .max = 1000},
    {.name = "in-flight",
     .kind = number,
     .placeholder = "N",
     .doc = "How many are started at once.",
     .initial = "4",
     .min = 1,
     .max = 32},
    {.name = "name",
     .kind = text,
     .placeholder = "NAME",
     .doc = "The child's name; made up when left out. With --count, -1, -2, "
            "... is added."},
    {.name = "operation",
     .kind = text,
     .placeholder = "ID",
     .doc = "The operation's id, with -1, -2, ... for several; repeating one "
            "starts no second child."},
    {.name = "deadline",
     .kind = duration,
     .doc = "For each child.",
     .initial = "60s",
     .min = 100,
     .max = 3'600'000},
    {.name = "input",
     .kind = text,
     .placeholder = "FILE",
     .doc = "Children as lines of JSON: name, hostname, environment, files, "
            "seed, all optional; as many as there are lines. -: standard "
            "input."},
  };
  for (auto& option : child_options())
    all.push_back(std::move(option));
  return all;
}

} // namespace

std::vector<verb> fork_verbs() {
  return {
    {.entry = {.path = "fork",
               .summary = "Start many children of a snapshot.",
               .options = fork_options(),
               .positionals = {{.name = "SNAPSHOT",
                                .doc = "The snapshot's tag."}},
               .examples = {"forkfleet fork try-a --count 20",
                            "forkfleet fork try-a --count 100 --name eval "
                            "--in-flight 8",
                            "forkfleet fork try-a --input tasks.jsonl --wait "
                            "ready"},
               .details = "Each child has a result of its own: the others go "
                          "on when one fails, and the tool then ends with 9."},
     .run = run_fork},
  };
}

} // namespace forkfleet::shell
