// SPDX-License-Identifier: Apache-2.0
#include "actors/shell/fleet_plan.hpp"

#include <algorithm>

namespace forkfleet::shell {
namespace {

using verdict = readiness::verdict;

program coordinator_program(const launch_settings& settings) {
  return {
    .name = "coordinator",
    .arguments = {settings.coordinator_program, "--fleet", settings.fleet_path},
    .log = settings.log_directory + "/coordinator.log"};
}

program node_program(const host_name& host, const launch_settings& settings) {
  program result{.name = "node " + host.value,
                 .arguments = {settings.node_program, "--fleet",
                               settings.fleet_path, "--host", host.value},
                 .log =
                   settings.log_directory + "/node-" + host.value + ".log"};
  if (settings.leash != 0) {
    result.arguments.emplace_back("--leash");
    result.arguments.push_back(std::to_string(settings.leash));
  }
  if (settings.stop_sandboxes)
    result.arguments.emplace_back("--stop-sandboxes");
  return result;
}

template <class T, class Matches>
const T* find(const std::vector<T>& list, Matches matches) {
  const auto found = std::find_if(list.begin(), list.end(), matches);
  return found == list.end() ? nullptr : &*found;
}

readiness judge_sandbox(const config::sandbox_section& declared,
                        const std::vector<sandbox_info>& sandboxes) {
  const auto& name = declared.name;
  const auto* known =
    find(sandboxes, [&](const sandbox_info& x) { return x.id == name; });
  if (known == nullptr)
    return {verdict::waiting, "sandbox " + name.value};
  const auto text = "sandbox " + name.value + " is "
                    + std::string{schema::name_of(known->state)}
                    + (known->note.empty() ? "" : ": " + known->note);
  switch (known->state) {
    case sandbox_state::running:
      return {verdict::ready, ""};
    case sandbox_state::starting:
    case sandbox_state::paused:
      return {verdict::waiting, text};
    case sandbox_state::stuck:
    case sandbox_state::stopped:
    case sandbox_state::gone:
      return {verdict::failed, text};
  }
  return {verdict::failed, text};
}

bool has_host(const fleet_plan& plan, const host_name& host) {
  return std::find(plan.hosts.begin(), plan.hosts.end(), host)
         != plan.hosts.end();
}

} // namespace

fleet_plan plan_fleet(const config::fleet_file& fleet, const machine& here,
                      const launch_settings& settings) {
  fleet_plan result;
  result.has_coordinator = is_here(fleet.coordinator.listen.host, here);
  if (result.has_coordinator)
    result.programs.push_back(coordinator_program(settings));
  for (const auto& x : fleet.hosts) {
    if (!is_here(x.address, here)) {
      result.elsewhere.push_back(x.name);
      continue;
    }
    result.hosts.push_back(x.name);
    result.programs.push_back(node_program(x.name, settings));
  }
  return result;
}

readiness judge(const config::fleet_file& fleet, const fleet_plan& plan,
                const std::vector<node_info>& nodes,
                const std::vector<sandbox_info>& sandboxes) {
  for (const auto& host : plan.hosts) {
    const auto* known =
      find(nodes, [&](const node_info& x) { return x.host == host; });
    if (known == nullptr || known->state != node_state::up)
      return {verdict::waiting, "node " + host.value};
  }
  readiness result{verdict::ready, ""};
  for (const auto& declared : fleet.sandboxes) {
    if (!has_host(plan, declared.host))
      continue;
    auto one = judge_sandbox(declared, sandboxes);
    if (one.what == verdict::failed)
      return one;
    if (one.what == verdict::waiting && result.what == verdict::ready)
      result = std::move(one);
  }
  return result;
}

} // namespace forkfleet::shell
