// SPDX-License-Identifier: Apache-2.0
// BRANCHes a running example guest again and again, first all of its memory,
// then what changed since; shows how long it stood still by three clocks and
// what was written; and restores the last snapshot of the chain to see the
// child go on from the branch point. A client like any other: it talks to the
// coordinator and reads the guest's debug console.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>

#include "actors/client.hpp"
#include "actors/shell/connection.hpp"
#include "actors/shell/figures.hpp"
#include "config/options.hpp"
#include "config/startup.hpp"
#include "examples/guest_watch.hpp"

namespace {

using namespace forkfleet;
using namespace std::chrono_literals;
using config::value_kind;
using guest::guest_watch;
using shell::duration_text;
using watch_ptr = std::unique_ptr<guest_watch>;

const config::command_line program{
  .name = "branch_demo",
  .summary = "Branches a running guest and proves what came of it.",
  .version = FORKFLEET_VERSION,
  .verbs = {{.path = "",
             .options = {{.name = "fleet",
                          .kind = value_kind::text,
                          .placeholder = "FILE",
                          .doc = "The fleet's file.",
                          .initial = "examples/fleet.yaml"},
                         {.name = "sandbox",
                          .kind = value_kind::text,
                          .doc = "The guest to branch.",
                          .initial = "counter"},
                         {.name = "prefix",
                          .kind = value_kind::text,
                          .doc = "Begins the snapshots' tags.",
                          .initial = "demo"},
                         {.name = "count",
                          .kind = value_kind::number,
                          .doc = "How many branches.",
                          .initial = "10",
                          .min = 1,
                          .max = 1000},
                         {.name = "mode",
                          .kind = value_kind::choice,
                          .doc = "What all branches but the first capture.",
                          .initial = "diff",
                          .choices = {"auto", "full", "diff", "live"}},
                         {.name = "interval",
                          .kind = value_kind::duration,
                          .doc = "Between two branches.",
                          .initial = "300ms"}}}}};

/// One branch as the demo saw it.
struct sample {
  branch_report report = {};
  microseconds gap{0};         // the guest's longest silence around it
  uint64_t counted_before = 0; // the last count heard before the pause
  uint64_t counted_after = 0;  // the first heard after it
};

class demo {
public:
  demo(const config::invocation& given, const config::fleet_file& fleet)
    : sandbox_{given.text("sandbox")}, prefix_{given.text("prefix")},
      count_{given.number("count").value_or(10)}, mode_{mode_of(
                                                    given.text("mode"))},
      interval_{given.duration("interval").value_or(300ms)},
      client_{shell::settings_of(fleet)} {}

  status run() {
    if (auto found = find_source(); !found)
      return found;
    if (auto taken = take_branches(); !taken)
      return taken;
    print_summary();
    return prove_child();
  }

private:
  static branch_mode mode_of(const std::string& name) {
    for (const auto& entry : enum_table(branch_mode{}))
      if (entry.name == name)
        return entry.value;
    return branch_mode::automatic;
  }

  expected<watch_ptr> watch(const sandbox_info& box) {
    if (box.debug_console.empty())
      return fail(ec::invalid_request,
                  box.id.value
                    + " has no debug console: set debug_console "
                      "in the fleet file");
    return guest_watch::open(box.debug_console,
                             std::chrono::steady_clock::now() + 20s);
  }

  status find_source() {
    const auto boxes = client_.ask<sandbox_list>(sandboxes_request{}, 10s);
    if (!boxes)
      return tl::unexpected(boxes.error());
    for (const auto& box : boxes->sandboxes)
      if (box.id.value == sandbox_)
        source_ = box;
    if (source_.id.empty())
      return fail(ec::unknown_sandbox, sandbox_);
    auto opened = watch(source_);
    if (!opened)
      return tl::unexpected(opened.error());
    guest_ = std::move(*opened);
    // Past its boot, with a whole ring of dirty pages.
    auto ready =
      guest_->wait_for_counter(4000, std::chrono::steady_clock::now() + 60s);
    if (!ready)
      return tl::unexpected(ready.error());
    fmt::print("{} on {}: {}, {} vCPU, pid {}\n\n", sandbox_,
               source_.host.value, shell::size_text(source_.memory_bytes),
               source_.vcpus, source_.pid);
    return {};
  }

  status take_branches() {
    fmt::print("{:>3}  {:<5} {:>9} {:>9} {:>9}  {:>9} {:>9} {:>9} {:>9}  {}\n",
               "#", "mode", "pause", "by QEMU", "by guest", "reserve", "drain",
               "seal", "total", "written");
    for (uint64_t i = 1; i <= count_; ++i) {
      auto taken = take_one(i);
      if (!taken)
        return tl::unexpected(taken.error());
      print_row(i, *taken);
      samples_.push_back(std::move(*taken));
      std::this_thread::sleep_for(interval_);
    }
    return {};
  }

  /// All memory first, then by the mode asked for; where this VM cannot do
  /// that, by the best that it can.
  expected<branch_report> ask(uint64_t number) {
    auto request =
      branch_request{.sandbox = source_.id,
                     .tag = {fmt::format("{}-{}", prefix_, number)},
                     .mode = number == 1 ? branch_mode::full : mode_};
    auto report = client_.ask<branch_report>(request, 120s);
    const auto why = !report ? report.error() : report->outcome;
    if (why.code == ec::unsupported && number > 1) {
      fmt::print("     no {} here: {}\n", schema::name_of(mode_), why.message);
      request.mode = mode_ = branch_mode::automatic;
      report = client_.ask<branch_report>(request, 120s);
    }
    if (report && report->outcome)
      return tl::unexpected(report->outcome);
    return report;
  }

  expected<sample> take_one(uint64_t number) {
    const auto from = std::chrono::steady_clock::now();
    auto report = ask(number);
    if (!report)
      return tl::unexpected(report.error());
    const auto to = std::chrono::steady_clock::now();
    const auto heard = guest_->wait_for_tick(to, to + 10s);
    if (!heard)
      return tl::unexpected(heard.error());
    const auto log = guest_->log();
    const auto pause = find_pause(*report, from);
    const auto silence = log.longest_silence(pause.from, pause.to);
    const auto before = log.last_before(pause.from);
    const auto after = log.first_after(pause.to);
    return sample{
      .report = std::move(*report),
      .gap = std::chrono::duration_cast<microseconds>(silence.duration()),
      .counted_before = before ? before->counter : 0,
      .counted_after = after ? after->counter : 0};
  }

  /// The pause window on the watcher's clock, with room for the way of the
  /// request and of the guest's output.
  static guest::silence find_pause(const branch_report& report,
                                   guest::host_time from) {
    auto window = guest::silence{from, from};
    for (const auto& timing : report.stages) {
      if (timing.which == stage::pause)
        window.from = from + timing.start;
      if (timing.which == stage::resume)
        window.to = from + timing.start + timing.elapsed + 20ms;
    }
    return window;
  }

  static microseconds elapsed(const branch_report& report, stage which) {
    for (const auto& timing : report.stages)
      if (timing.which == which)
        return timing.elapsed;
    return {};
  }

  static void print_row(uint64_t number, const sample& x) {
    const auto& report = x.report;
    fmt::print(
      "{:>3}  {:<5} {:>9} {:>9} {:>9}  {:>9} {:>9} {:>9} {:>9}  {}\n", number,
      schema::name_of(report.mode), duration_text(report.pause, false),
      duration_text(report.vmm_pause, false), duration_text(x.gap, false),
      duration_text(elapsed(report, stage::reserve), false),
      duration_text(elapsed(report, stage::drain), false),
      duration_text(elapsed(report, stage::seal), false),
      duration_text(report.total, false),
      shell::size_text(report.written_bytes));
    for (const auto& warning : report.warnings)
      fmt::print("     warning: {}\n", warning);
    std::fflush(stdout);
  }

  template <class Member>
  std::vector<microseconds> series(Member member) const {
    auto values = std::vector<microseconds>{};
    for (const auto& x : samples_)
      values.push_back(member(x));
    return values;
  }

  static void print_figures(const char* name,
                            const std::vector<microseconds>& values) {
    const auto half = values.size() / 2;
    const auto early =
      shell::percentile({values.begin(), values.end() - long(half)}, 50);
    const auto late =
      shell::percentile({values.end() - long(half), values.end()}, 50);
    fmt::print("{:<26} p50 {:>9}  p90 {:>9}", name,
               duration_text(shell::percentile(values, 50), false),
               duration_text(shell::percentile(values, 90), false));
    if (half > 0 && early.count() > 0)
      fmt::print("  second half / first half {:.2f}",
                 double(late.count()) / double(early.count()));
    fmt::print("\n");
  }

  /// The first takes all memory; the others only what changed.
  void print_written() const {
    auto others = std::vector<uint64_t>{};
    for (const auto& x : samples_)
      others.push_back(x.report.written_bytes);
    fmt::print("{:<26} {} by the first", "written",
               shell::size_text(others.front()));
    others.erase(others.begin());
    std::ranges::sort(others);
    if (!others.empty())
      fmt::print(", {} to {} by the others", shell::size_text(others.front()),
                 shell::size_text(others.back()));
    fmt::print("\n");
  }

  void print_summary() const {
    const auto& last = samples_.back().report;
    fmt::print("\nthe last one: {} by {}{}{}, reservation: {}, file system: "
               "{}\n",
               schema::name_of(last.mode), last.method,
               last.reason.empty() ? "" : ", not better because ", last.reason,
               schema::name_of(last.reserve), last.file_system);
    print_written();
    print_figures("pause",
                  series([](const sample& x) { return x.report.pause; }));
    print_figures("pause by QEMU's stamps",
                  series([](const sample& x) { return x.report.vmm_pause; }));
    print_figures("the guest's own silence",
                  series([](const sample& x) { return x.gap; }));
    print_figures("total until durable",
                  series([](const sample& x) { return x.report.total; }));
    const auto now = std::chrono::steady_clock::now();
    const auto quiet = guest_->log().silences(now - 250ms, now);
    const auto state = guest_->state();
    fmt::print(
      "{:<26} p50 {:>9}  p99 {:>9}  (undisturbed)\n",
      "silence between two counts",
      duration_text(std::chrono::duration_cast<microseconds>(quiet.p50), false),
      duration_text(std::chrono::duration_cast<microseconds>(quiet.p99),
                    false));
    fmt::print("{:<26} {} (largest single loss, by the guest's real-time "
               "clock)\n",
               "from inside the guest",
               duration_text(state.largest_gap, false));
  }

  /// What a snapshot is read through, as " (9 diffs over a flat image)".
  std::string chain_of(const snapshot_tag& tag) {
    const auto list = client_.ask<snapshot_list>(snapshots_request{}, 10s);
    if (list)
      for (const auto& x : list->snapshots)
        if (x.tag == tag && x.depth > 0)
          return fmt::format(" ({} diffs over a flat image)", x.depth);
    return "";
  }

  status prove_child() {
    const auto& last = samples_.back();
    fmt::print("\nrestoring {}{}: its source stood still between count {} and "
               "count {}\n",
               last.report.tag.value, chain_of(last.report.tag),
               last.counted_before, last.counted_after);
    const auto name = prefix_ + "-child";
    const auto begun = std::chrono::steady_clock::now();
    auto child = client_.ask<restore_report>(
      restore_request{.tag = last.report.tag, .sandbox = {name}}, 60s);
    if (!child)
      return tl::unexpected(child.error());
    if (child->outcome)
      return tl::unexpected(child->outcome);
    auto opened = watch(child->sandbox);
    if (!opened)
      return tl::unexpected(opened.error());
    const auto& own = **opened;
    const auto heard = own.wait_for_tick(begun, begun + 20s);
    if (!heard)
      return tl::unexpected(heard.error());
    // Long enough to check the whole ring more than once.
    auto counted = own.wait_for_counter(heard->counter + 6000,
                                        std::chrono::steady_clock::now() + 60s);
    if (!counted)
      return tl::unexpected(counted.error());
    return judge(last, *child, own);
  }

  status judge(const sample& last, const restore_report& child,
               const guest_watch& own) {
    const auto log = own.log();
    const auto first = log.first()->counter;
    const auto now = log.last()->counter;
    const auto source = guest_->last()->counter;
    const auto& state = log.state();
    fmt::print("the child ran after {}; the first count heard of it is {}{}\n",
               duration_text(child.total, false), first,
               first <= last.counted_after ? ", inside that window" : "");
    fmt::print("it has counted on to {} while its source is at {}; {} pages "
               "checked, {} errors, {} leaps\n",
               now, source, state.pages_checked, state.errors, log.leaps());
    const bool goes_on = first > last.counted_before && first < source;
    if (!goes_on || state.errors != 0 || log.leaps() != 0
        || guest_->state().errors != 0)
      return fail(ec::snapshot_corrupt,
                  state.first_error.empty()
                    ? "the child does not go on where its source stood"
                    : state.first_error);
    fmt::print("PROVEN: the child goes on from the branch point, and every "
               "checksum is right\n");
    return {};
  }

  std::string sandbox_;
  std::string prefix_;
  uint64_t count_;
  branch_mode mode_;
  milliseconds interval_;
  client client_;
  sandbox_info source_ = {};
  watch_ptr guest_ = {};
  std::vector<sample> samples_ = {};
};

} // namespace

int main(int argc, char** argv) {
  const auto given = config::parse(program, {argv + 1, argv + argc});
  if (!given)
    return config::print(given.error());
  const auto fleet = config::load_or_print(given->text("fleet"));
  if (!fleet)
    return config::wrong_file_exit_code;
  if (auto shown = demo{*given, *fleet}.run(); !shown) {
    fmt::print(stderr, "branch_demo: {} ({})\n", to_string(shown.error()),
               remedy(shown.error().code));
    return 1;
  }
  return 0;
}
