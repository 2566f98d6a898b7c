// SPDX-License-Identifier: Apache-2.0
// wait: until a sandbox stands where it is wanted.
#include <algorithm>
#include <thread>

#include <fmt/format.h>

#include "actors/shell/clock.hpp"
#include "actors/shell/connection.hpp"
#include "actors/shell/lost_answer.hpp"
#include "actors/shell/signals.hpp"
#include "actors/shell/verb.hpp"
#include "actors/shell/wait_goal.hpp"

namespace forkfleet::shell {
namespace {

constexpr milliseconds wait_limit_default{60'000};
/// An event may be lost: the list is looked at this often anyway.
constexpr milliseconds look_interval{5000};
constexpr milliseconds wait_ask_limit{5000};
constexpr milliseconds wait_again{250};
/// For the node's own words to arrive after the deadline that it was given.
constexpr milliseconds agent_slack{2000};

/// Looks until the goal is reached, cannot be, or the time is over.
class waiting {
public:
  waiting(client& fleet, wait_goal goal, const sandbox_id& sandbox,
          milliseconds limit)
    : fleet_{fleet}, goal_{goal}, sandbox_{sandbox}, until_{now() + limit} {}

  expected<sandbox_info> run() {
    for (;;) {
      const auto latest = latest_event();
      const auto seen = look();
      if (seen.verdict == wait_verdict::reached)
        return seen.info;
      if (seen.verdict == wait_verdict::hopeless)
        return fail(ec::vmm_gone, seen.why);
      if (left() <= milliseconds{0})
        return fail(ec::deadline_exceeded, seen.why);
      if (latest && seen.is_known)
        wait_for_event(*latest);
      else
        std::this_thread::sleep_for(std::min(left(), wait_again));
    }
  }

private:
  struct sight {
    wait_verdict verdict = wait_verdict::not_yet;
    sandbox_info info = {};
    std::string why = {};
    bool is_known = false; // the fleet told
  };

  milliseconds left() const {
    return std::max(milliseconds{0},
                    std::chrono::duration_cast<milliseconds>(until_ - now()));
  }

  /// At most what is left, but long enough for an answer.
  milliseconds limit() const {
    return std::clamp(left(), wait_again, wait_ask_limit);
  }

  expected<uint64_t> latest_event() {
    const auto page =
      fleet_.ask<event_list>(events_request{.from_now = true}, limit());
    if (!page)
      return tl::unexpected{page.error()};
    return page->latest;
  }

  void wait_for_event(uint64_t after) {
    const auto wait = std::min(left(), look_interval);
    static_cast<void>(
      fleet_
        .ask<event_list>(events_request{.after = after, .wait = wait},
                         wait + wait_ask_limit)
        .has_value());
  }

  sight look() {
    const auto all = all_sandboxes(fleet_, limit());
    if (!all)
      return {.why = "the fleet does not tell: " + to_string(all.error())};
    const auto found = std::ranges::find(*all, sandbox_, &sandbox_info::id);
    const auto* info = found == all->end() ? nullptr : &*found;
    auto judged = judge(goal_, sandbox_, info);
    auto result = sight{.verdict = judged.verdict,
                        .info = info ? *info : sandbox_info{.id = sandbox_},
                        .why = judged.why,
                        .is_known = true};
    if (judged.verdict == wait_verdict::reached && goal_ == wait_goal::ready)
      ask_agent(result);
    return result;
  }

  /// A guest is ready when its agent answers: with any file that each has.
  void ask_agent(sight& result) {
    const auto answer = fleet_.ask<file_report>(
      file_request{
        .sandbox = sandbox_, .path = "/proc/uptime", .deadline = limit()},
      limit() + agent_slack);
    if (answer || answer.error().code == ec::invalid_request)
      return;
    result.why = answer.error().message;
    result.is_known = false;
    result.verdict = answer.error().code == ec::unsupported
                       ? wait_verdict::hopeless
                       : wait_verdict::not_yet;
  }

  client& fleet_;
  wait_goal goal_;
  sandbox_id sandbox_;
  time_point until_;
};

wait_goal goal_of(const config::invocation& given) {
  const auto name = given.text("for");
  for (const auto& entry : enum_table(wait_goal{}))
    if (entry.name == name)
      return entry.value;
  return wait_goal::running;
}

exit_code run_wait(session& io, const config::invocation& given) {
  auto reached = reach_fleet(io, given);
  if (!reached)
    return reached.error();
  const farewell words{"It goes on without us; see: forkfleet ls"};
  const auto name = given.positional("SANDBOX");
  const auto goal = goal_of(given);
  const auto found =
    waiting{reached->fleet,
            goal,
            {name},
            given.duration("timeout").value_or(wait_limit_default)}
      .run();
  if (!found)
    return tell(io, given, found.error(), "see where it stands: forkfleet ls");
  const auto format = format_of(given);
  if (is_json(format))
    print_json(io, format, schema::to_json(*found));
  else if (format == output_format::name)
    io.out << name << '\n';
  else
    io.out << printable(name) << " is " << given.text("for") << '\n';
  return exit_code::done;
}

} // namespace

std::vector<verb> wait_verbs() {
  using enum config::value_kind;
  auto goal = config::option{.name = "for",
                             .kind = choice,
                             .doc = "running: its VM runs. ready: its guest's "
                                    "agent answers, too. stopped: its VM has "
                                    "ended. gone: it is not listed any more.",
                             .initial = "running"};
  for (const auto& entry : enum_table(wait_goal{}))
    goal.choices.emplace_back(entry.name);
  return {{.entry = {.path = "wait",
                     .summary = "Wait until a sandbox runs, is ready, or has "
                                "ended.",
                     .options = {goal,
                                 {.name = "timeout",
                                  .kind = duration,
                                  .doc = "How long.",
                                  .initial = "60s",
                                  .min = 100,
                                  .max = 86'400'000}},
                     .positionals = {{.name = "SANDBOX",
                                      .doc = "Which one; it need not be "
                                             "there yet."}},
                     .examples = {"forkfleet wait child-1 --for ready",
                                  "forkfleet wait child-1 --for gone "
                                  "--timeout 10min"},
                     .details =
                       "Ends with 0 when it is so, 7 when --timeout has "
                       "passed, and 1 when it can no longer come: the VM has "
                       "ended or is stuck, or has no agent."},
           .run = run_wait}};
}

} // namespace forkfleet::shell
