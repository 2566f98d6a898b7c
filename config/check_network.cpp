// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "actors/schema/nearest.hpp"
#include "config/address.hpp"
#include "config/check.hpp"

namespace forkfleet::config {

namespace {

using schema::in_quotes;

std::string address_path(std::size_t index) {
  return fmt::format("hosts[{}].address", index);
}

bool is_remote(const checker& run, std::size_t index) {
  const auto& address = run.fleet.hosts[index].address;
  return !address.empty() && !is_loopback_host(address)
         && !run.has_problem(address_path(index));
}

void check_address(checker& run, std::size_t index) {
  const auto& address = run.fleet.hosts[index].address;
  const auto path = address_path(index);
  endpoint with_port;
  if (address.empty() || is_host(address)) {
    if (is_wildcard_host(address))
      run.report(path, fmt::format("{} is not the address of one machine",
                                   in_quotes(address)));
  } else if (!from_text(address, with_port)) {
    run.report(
      path, "must not have a port",
      fmt::format("write {}; nodes dial the coordinator", with_port.host));
  } else {
    run.report(path, fmt::format("{} is not an address", in_quotes(address)),
               "a name or an IP address");
  }
}

/// Why programs talk over a network that others may be on; empty when they
/// do not.
std::string why_remote(const checker& run) {
  const auto& hosts = run.fleet.hosts;
  const auto& listen = run.fleet.coordinator.listen;
  if (!listen.empty() && !listen.is_loopback())
    return fmt::format("coordinator.listen, {}, is not loopback",
                       listen.to_string());
  for (std::size_t i = 0; i < hosts.size(); ++i)
    if (is_remote(run, i))
      return fmt::format("{}, {}, is not loopback", address_path(i),
                         hosts[i].address);
  return {};
}

void require_tls(checker& run, const std::string& path, const tls_files& tls,
                 std::string_view why, std::string_view near = {}) {
  if (tls.empty())
    run.report(path, fmt::format("is required, because {}", why),
               "'forkfleet pki' makes certificates", near);
}

} // namespace

void check_network(checker& run) {
  const auto& fleet = run.fleet;
  const auto& listen = fleet.coordinator.listen;
  if (is_wildcard_host(listen.host))
    run.report("coordinator.listen",
               fmt::format("{} cannot be dialled", in_quotes(listen.host)),
               "name the address at which nodes and clients reach it");
  for (std::size_t i = 0; i < fleet.hosts.size(); ++i)
    check_address(run, i);
  const auto why = why_remote(run);
  if (listen.empty() && !fleet.coordinator.tls.empty())
    run.report("coordinator.listen",
               "is required, because certificates are "
               "for connections to a port",
               "name an address, or leave tls out", "coordinator.tls");
  if (why.empty())
    return;
  if (listen.empty())
    run.report("coordinator.listen",
               fmt::format("is required, because {}", why),
               "name the address at which nodes and clients reach it");
  require_tls(run, "coordinator.tls", fleet.coordinator.tls, why,
              "coordinator.listen");
  require_tls(run, "client_tls", fleet.client_tls, why, "coordinator.listen");
  for (std::size_t i = 0; i < fleet.hosts.size(); ++i)
    require_tls(run, fmt::format("hosts[{}].tls", i), fleet.hosts[i].tls, why);
}

} // namespace forkfleet::config
