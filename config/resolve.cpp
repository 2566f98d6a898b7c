// SPDX-License-Identifier: Apache-2.0
#include "config/resolve.hpp"

#include <filesystem>
#include <string_view>
#include <unistd.h>

#include <fmt/format.h>

namespace forkfleet::config {

namespace {

using visitor =
  std::function<void(const std::string& where, std::string& path)>;

void visit_tls(tls_files& x, const std::string& where, const visitor& visit) {
  visit(where + ".authority", x.authority);
  visit(where + ".certificate", x.certificate);
  visit(where + ".key", x.key);
}

/// Absolute, without "..", "." and a slash at the end.
std::string normal(const std::string& directory, const std::string& path) {
  auto result = (std::filesystem::path{directory} / path).lexically_normal();
  if (!result.has_filename() && result.has_relative_path())
    result = result.parent_path();
  return result.string();
}

/// Where the state of `fleet` lies by default; empty when nothing says where
/// this user's home is.
std::string default_state(const fleet_file& fleet, const environment& env) {
  if (::geteuid() == 0)
    return "/var/lib/forkfleet/" + fleet.name;
  // The XDG specification says to ignore relative paths.
  if (const auto state = env("XDG_STATE_HOME");
      state && state->starts_with('/'))
    return *state + "/forkfleet/" + fleet.name;
  if (const auto home = env("HOME"); home && home->starts_with('/'))
    return *home + "/.local/state/forkfleet/" + fleet.name;
  return {};
}

/// Hosts of one machine get different ones, up to sixteen of them.
std::string default_range(std::size_t host) {
  return fmt::format("10.213.{}.0/20", host % 16 * 16);
}

} // namespace

void for_each_path(fleet_file& fleet, const visitor& visit) {
  visit("state", fleet.state);
  visit("signing_key", fleet.signing_key);
  visit("coordinator.data", fleet.coordinator.data);
  visit_tls(fleet.coordinator.tls, "coordinator.tls", visit);
  visit_tls(fleet.client_tls, "client_tls", visit);
  for (std::size_t i = 0; i < fleet.hosts.size(); ++i) {
    const auto where = fmt::format("hosts[{}]", i);
    visit(where + ".data", fleet.hosts[i].data);
    visit(where + ".archives", fleet.hosts[i].archives);
    for (std::size_t j = 0; j < fleet.hosts[i].images.size(); ++j)
      visit(fmt::format("{}.images[{}]", where, j), fleet.hosts[i].images[j]);
    visit(where + ".cgroup", fleet.hosts[i].cgroup);
    visit_tls(fleet.hosts[i].tls, where + ".tls", visit);
  }
  for (std::size_t i = 0; i < fleet.sandboxes.size(); ++i) {
    auto& sandbox = fleet.sandboxes[i];
    const auto where = fmt::format("sandboxes[{}]", i);
    visit(where + ".kernel", sandbox.kernel);
    visit(where + ".initrd", sandbox.initrd);
    for (std::size_t j = 0; j < sandbox.disks.size(); ++j)
      visit(fmt::format("{}.disks[{}].path", where, j), sandbox.disks[j].path);
    visit(where + ".attach.qmp", sandbox.attach.qmp);
    visit(where + ".attach.watchdog_qmp", sandbox.attach.watchdog_qmp);
    visit(where + ".attach.api", sandbox.attach.api);
    visit(where + ".binary", sandbox.binary);
  }
}

void resolve(fleet_file& fleet, const std::string& directory,
             const environment& env, const place_map& places,
             problem_list& problems) {
  for_each_path(fleet, [&](const std::string& where, std::string& path) {
    if (path == "~" || path.starts_with("~/"))
      problems.add(where, find_place(places, where),
                   {"'~' is not replaced", "write ${HOME}"});
    if (!path.empty())
      path = normal(directory, path);
  });
  if (fleet.state.empty())
    fleet.state = default_state(fleet, env);
  if (fleet.state.empty() && !problems.has("state"))
    problems.add("state", {},
                 {"is needed, because neither XDG_STATE_HOME nor HOME is set"});
  if (fleet.coordinator.data.empty())
    fleet.coordinator.data = normal(fleet.state, "coordinator");
  for (std::size_t i = 0; i < fleet.hosts.size(); ++i) {
    auto& host = fleet.hosts[i];
    if (host.network_range.empty())
      host.network_range = default_range(i);
    if (host.data.empty())
      host.data = normal(fleet.state, host.name.value);
    if (host.archives.empty())
      host.archives = normal(host.data, "archives");
  }
}

} // namespace forkfleet::config
