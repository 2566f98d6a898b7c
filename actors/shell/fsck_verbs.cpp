// SPDX-License-Identifier: Apache-2.0
// fsck: what of the fleet's processes and files nobody owns.
#include <algorithm>
#include <atomic>
#include <system_error>
#include <thread>

#include "actors/shell/clock.hpp"
#include "actors/shell/connection.hpp"
#include "actors/shell/fsck_text.hpp"
#include "actors/shell/verb.hpp"

namespace forkfleet::shell {
namespace {

/// As many hosts are asked at once.
constexpr std::size_t in_flight_max = 8;
constexpr milliseconds usual_deadline{300'000};

exit_code print_reports(session& io, const config::invocation& given,
                        const std::vector<fsck_report>& reports) {
  const auto format = format_of(given);
  if (format == output_format::json) {
    auto all = schema::json::array();
    for (const auto& x : reports)
      all.push_back(schema::to_json(x));
    print_json(io, format, all);
  } else if (format == output_format::jsonl) {
    for (const auto& x : reports)
      print_json(io, format, schema::to_json(x));
  } else if (format == output_format::name) {
    for (const auto& x : reports)
      for (const auto& item : x.items)
        io.out << printable(item.where) << '\n';
  } else {
    io.out << fsck_text(reports, io.screen);
  }
  return fsck_exit_code(reports);
}

/// The hosts that were named, or all of them.
std::vector<host_name> hosts_of(const config::invocation& given,
                                const std::vector<node_info>& nodes) {
  std::vector<host_name> result;
  for (const auto& name : given.texts("host"))
    result.push_back({name});
  if (result.empty())
    for (const auto& x : nodes)
      result.push_back(x.host);
  return result;
}

/// Asks all hosts, some at once, each over a connection of its own thread.
/// One that does not answer has a report that says so.
class fleet_check {
public:
  fleet_check(client_settings settings, fsck_request request,
              std::vector<host_name> hosts, milliseconds limit)
    : settings_{std::move(settings)}, request_{std::move(request)},
      hosts_{std::move(hosts)}, until_{now() + limit}, reports_(hosts_.size()) {
  }

  std::vector<fsck_report> run() {
    const auto count = std::min(in_flight_max, hosts_.size());
    std::vector<std::thread> others;
    try {
      while (others.size() + 1 < count)
        others.emplace_back([this] { work(); });
    } catch (const std::system_error&) {
      // With fewer threads it takes longer.
    }
    work();
    for (auto& x : others)
      x.join();
    return std::move(reports_);
  }

private:
  void work() {
    client fleet{settings_};
    for (auto i = next_++; i < hosts_.size(); i = next_++)
      reports_[i] = check(fleet, hosts_[i]);
  }

  fsck_report check(client& fleet, const host_name& host) {
    const auto left = std::chrono::duration_cast<milliseconds>(until_ - now());
    if (left.count() <= 0)
      return {.host = host,
              .outcome = {ec::deadline_exceeded,
                          "the other hosts took all the time; ask with "
                          "--host "
                            + host.value}};
    auto request = request_;
    request.host = host;
    const auto report = fleet.ask<fsck_report>(request, left);
    return report ? *report
                  : fsck_report{.host = host, .outcome = report.error()};
  }

  const client_settings settings_;
  const fsck_request request_;
  const std::vector<host_name> hosts_;
  const std::chrono::steady_clock::time_point until_;
  std::atomic<std::size_t> next_ = 0;
  std::vector<fsck_report> reports_;
};

exit_code run_fsck(session& io, const config::invocation& given) {
  auto reached = reach_fleet(io, given);
  if (!reached)
    return reached.error();
  const auto nodes = all_nodes(reached->fleet, timeout_of(given));
  if (!nodes)
    return tell(io, given, nodes.error());
  const fsck_request request{
    .repair = given.has("repair"),
    .all = given.has("all"),
    .young = given.duration("young").value_or(fsck_request{}.young)};
  auto check =
    fleet_check{reached->where.settings, request, hosts_of(given, *nodes),
                given.duration("deadline").value_or(usual_deadline)};
  return print_reports(io, given, check.run());
}

std::vector<config::option> fsck_options() {
  using enum config::value_kind;
  return {
    {.name = "host",
     .kind = text,
     .placeholder = "HOST",
     .doc = "Look at this host; may be given again. Else at all.",
     .repeatable = true},
    {.name = "repair", .doc = "Remove what nobody owns, and say what."},
    {.name = "all", .doc = "Tell what is owned, too."},
    {.name = "young",
     .kind = duration,
     .doc = "What changed within this time is not judged; a node takes at "
            "least 5s.",
     .initial = "30s",
     .max = 86'400'000},
    {.name = "deadline",
     .kind = duration,
     .doc = "For all hosts together; one that did not answer is named.",
     .initial = "300s",
     .min = 100,
     .max = 3'600'000},
  };
}

} // namespace

std::vector<verb> fsck_verbs() {
  return {
    {.entry = {.path = "fsck",
               .summary = "Find what nobody owns on the hosts, and remove it.",
               .options = fsck_options(),
               .examples = {"forkfleet fsck", "forkfleet fsck --repair",
                            "forkfleet fsck --host h1 --all -o json"},
               .details =
                 "Every process, directory and file of a node has an owner: a "
                 "sandbox, a snapshot, an operation or the node. Ends with 10 "
                 "when something has none, also when it was just removed, and "
                 "with 1 when a host could not be looked at. What owns and "
                 "cannot be read is damaged; it is never removed. A host whose "
                 "node does not run is looked at with forkfleet-fsck."},
     .run = run_fsck},
  };
}

} // namespace forkfleet::shell
