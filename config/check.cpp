// SPDX-License-Identifier: Apache-2.0
#include "config/check.hpp"

#include <algorithm>
#include <chrono>
#include <map>
#include <utility>

#include <fmt/format.h>

#include "actors/labels.hpp"
#include "actors/schema/nearest.hpp"
#include "actors/schema/units.hpp"
#include "config/address.hpp"

namespace forkfleet::config {

namespace {

using namespace std::chrono_literals;
using schema::in_quotes;

constexpr uint64_t kept_min = 100;
constexpr uint64_t kept_max = 1'000'000;
constexpr uint64_t branch_slots_max = 64;
constexpr uint64_t branch_queue_max = 1024;
constexpr std::size_t images_max = 256;
constexpr uint64_t chain_depth_max = 256;
constexpr uint64_t unwritten_bytes_max = 1ull << 40;
constexpr std::size_t fleet_name_length_max = 64;
constexpr int heartbeats_min = 3;
constexpr uint64_t removals_most = 1000;
constexpr std::size_t retention_rules_max = 64;
constexpr uint64_t keep_last_max = 10'000;
constexpr auto ttl_max = 3660 * 24h;

void check_names(checker& run) {
  if (run.fleet.version != 1)
    run.report("version", fmt::format("{} is not known", run.fleet.version),
               "write 1");
  if (!is_safe_name(run.fleet.name, fleet_name_length_max))
    run.report("name",
               fmt::format("{} is not a fleet name", in_quotes(run.fleet.name)),
               fmt::format("1 to {} letters, digits, '-' and '_', and no "
                           "'-' first",
                           fleet_name_length_max));
}

void check_coordinator(checker& run) {
  const auto& x = run.fleet.coordinator;
  run.range("coordinator.heartbeat", x.heartbeat, 100ms, 60s);
  run.range("coordinator.events_kept", x.events_kept, kept_min, kept_max);
  run.range("coordinator.operations_kept", x.operations_kept, kept_min,
            kept_max);
  // A heartbeat out of its range has been reported, and may overflow here.
  const auto heartbeat = std::min<milliseconds>(x.heartbeat, 60s);
  if (x.node_timeout < heartbeats_min * heartbeat
      && !run.has_problem("coordinator.heartbeat"))
    run.report("coordinator.node_timeout",
               fmt::format("must be at least {} heartbeats, {}, not {}",
                           heartbeats_min,
                           schema::format_duration(heartbeats_min * heartbeat),
                           schema::format_duration(x.node_timeout)),
               {}, "coordinator.heartbeat");
}

void check_branch(checker& run) {
  const auto& x = run.fleet.branch;
  run.range("branch.deadline", x.deadline, 1s, 1h);
  run.range("branch.pause_max", x.pause_max, 100ms, 60s);
  if (x.max_pause != 0ms)
    run.range("branch.max_pause", x.max_pause, 1ms, 60s);
  if (x.max_pause > x.pause_max && !run.has_problem("branch.pause_max"))
    run.report("branch.max_pause",
               fmt::format("must be at most pause_max, {}, not {}",
                           schema::format_duration(x.pause_max),
                           schema::format_duration(x.max_pause)),
               {}, "branch.pause_max");
  run.range("branch.chain_depth", x.chain_depth, 1, chain_depth_max);
  if (x.unwritten_max.value > unwritten_bytes_max)
    run.report("branch.unwritten_max",
               fmt::format("must be at most {}, not {}",
                           schema::format_bytes(unwritten_bytes_max),
                           schema::format_bytes(x.unwritten_max.value)));
}

void check_retention(checker& run) {
  const auto& x = run.fleet.retention;
  run.range("retention.sweep", x.sweep, 1s, 24h);
  run.range("retention.removals_max", x.removals_max, 1, removals_most);
  const auto check_one = [&run](const std::string& path,
                                const std::string& label) {
    if (auto good = check_label(label); !good && !run.has_problem(path))
      run.report(path, good.error().message, "write KEY=VALUE");
  };
  check_one("retention.pinned", x.pinned);
  if (x.rules.size() > retention_rules_max)
    run.report("retention.rules",
               fmt::format("has {} rules; at most {} may be", x.rules.size(),
                           retention_rules_max));
  for (std::size_t i = 0; i < x.rules.size(); ++i) {
    const auto& rule = x.rules[i];
    const auto path = fmt::format("retention.rules[{}]", i);
    check_one(path + ".label", rule.label);
    run.range(path + ".keep_last", rule.keep_last, 0, keep_last_max);
    if (rule.ttl != 0ms)
      run.range(path + ".ttl", rule.ttl, 1s, ttl_max);
    if (rule.keep_last == 0 && rule.ttl == 0ms)
      run.report(path, "keeps nothing",
                 "give keep_last, ttl, or both; without the rule nothing is "
                 "removed");
  }
}

/// Archives among what the node keeps would be taken for its own.
void check_archives(checker& run, const host_section& host,
                    const std::string& path) {
  const auto is_within = [](const std::string& inner,
                            const std::string& outer) {
    return inner == outer || inner.starts_with(outer + "/");
  };
  if (is_within(host.archives, host.data)
      && !is_within(host.archives, host.data + "/archives"))
    run.report(path + ".archives",
               fmt::format("{} is the node's own", in_quotes(host.archives)),
               "leave the key out, or take a directory outside of data");
}

void check_hosts(checker& run) {
  if (run.fleet.hosts.empty() && run.is_given("hosts"))
    run.report("hosts", "needs at least one host",
               "begin with '- name: local'");
  std::map<std::string, std::size_t> seen;
  for (std::size_t i = 0; i < run.fleet.hosts.size(); ++i) {
    const auto& host = run.fleet.hosts[i];
    const auto path = fmt::format("hosts[{}]", i);
    run.range(path + ".branch_slots", host.branch_slots, 1, branch_slots_max);
    run.range(path + ".branch_queue", host.branch_queue, 0, branch_queue_max);
    check_archives(run, host, path);
    if (host.images.size() > images_max)
      run.report(path + ".images", fmt::format("has more than {}", images_max));
    const auto [first, is_new] = seen.emplace(host.name.value, i);
    if (!is_new && !host.name.empty())
      run.report(path + ".name",
                 fmt::format("{} is already the name of hosts[{}]",
                             in_quotes(host.name.value), first->second));
  }
}

/// Two programs of one machine must not write to one directory. What machine
/// a directory is on is told by the host's address.
void check_directories(checker& run) {
  const auto& listen = run.fleet.coordinator.listen.host;
  std::map<std::pair<std::string, std::string>, std::string> owners;
  for (const auto& machine : {std::string{}, listen})
    owners.emplace(std::pair{machine, run.fleet.coordinator.data},
                   "the coordinator");
  for (std::size_t i = 0; i < run.fleet.hosts.size(); ++i) {
    const auto& host = run.fleet.hosts[i];
    const auto path = fmt::format("hosts[{}]", i);
    const bool is_local = is_loopback_host(host.address);
    const auto machine = is_local ? std::string{} : host.address;
    const auto [owner, is_new] =
      owners.emplace(std::pair{machine, host.data},
                     fmt::format("{} ({})", path, host.name.value));
    if (!is_new && !host.name.empty() && !run.has_problem(path + ".name"))
      run.report(path + ".data",
                 fmt::format("{} is already the directory of {}",
                             in_quotes(host.data), owner->second),
                 "give each its own", path + ".name");
  }
}

} // namespace

void checker::report(const std::string& path, std::string message,
                     std::string hint, std::string_view near) {
  if (problems_.has(path))
    return;
  const auto where = near.empty() || is_given(path) ? path : std::string{near};
  problems_.add(path, find_place(places_, where),
                {std::move(message), std::move(hint)});
}

bool checker::is_given(std::string_view path) const {
  return places_.find(path) != places_.end();
}

void checker::range(const std::string& path, milliseconds value,
                    milliseconds least, milliseconds most) {
  if (value < least || value > most)
    report(path, fmt::format("must be {} to {}, not {}",
                             schema::format_duration(least),
                             schema::format_duration(most),
                             schema::format_duration(value)));
}

void checker::range(const std::string& path, uint64_t value, uint64_t least,
                    uint64_t most) {
  if (value < least || value > most)
    report(path, fmt::format("must be {} to {}, not {}", least, most, value));
}

void check(const fleet_file& fleet, const place_map& places,
           problem_list& problems) {
  checker run{fleet, places, problems};
  check_names(run);
  check_coordinator(run);
  check_branch(run);
  check_retention(run);
  check_hosts(run);
  check_directories(run);
  check_network(run);
  check_reach(run);
  check_sandboxes(run);
  check_limits(run);
  check_access(run);
}

} // namespace forkfleet::config
