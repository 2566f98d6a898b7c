// SPDX-License-Identifier: Apache-2.0
#include "coordinator/node_table.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "actors/page_cutter.hpp"

namespace forkfleet {

namespace {

/// A node that was lost may live behind a broken network: so many timeouts
/// after it was last heard, its name is another's to take.
constexpr int hold_timeouts = 3;

/// An identity is shorter, and stands in answers and lists.
constexpr std::size_t identity_length_max = 64;

node_info info_of(const node_hello& hello) {
  return {.host = hello.host,
          .state = node_state::up,
          .identity = hello.identity,
          .incarnation = hello.incarnation,
          .version = hello.version,
          .data = hello.data,
          .file_system = hello.file_system,
          .accelerator = hello.accelerator,
          .limits = hello.limits,
          .network = hello.network,
          .confinement = hello.confinement,
          .load = hello.load};
}

} // namespace

node_table::node_table(const std::vector<host_name>& expected,
                       node_limits limits)
  : limits_(limits) {
  for (const auto& host : expected)
    nodes_[host].info.host = host;
}

expected<join_kind> node_table::join(const node_hello& hello, time_point now) {
  if (hello.protocol != protocol_number)
    return fail(ec::not_permitted,
                fmt::format("the node speaks protocol {}, the coordinator {}; "
                            "install the same version on both",
                            hello.protocol, protocol_number));
  const auto found = nodes_.find(hello.host);
  if (found == nodes_.end())
    return fail(ec::not_permitted,
                fmt::format("host '{}' is not in the fleet file; add it and "
                            "restart the coordinator",
                            hello.host.value));
  if (hello.identity.size() > identity_length_max)
    return fail(ec::invalid_request,
                fmt::format("the identity of host '{}' is longer than {}",
                            hello.host.value, identity_length_max));
  auto& node = found->second;
  if (auto fine = check_identity(node, hello, now); !fine)
    return tl::unexpected<failure>(fine.error());
  const uint64_t known = node.info.incarnation;
  if (node.is_up && hello.incarnation < known)
    return fail(ec::not_permitted,
                fmt::format("host '{}' has a newer node: its incarnation is "
                            "{}, this one's {}; stop this one",
                            hello.host.value, known, hello.incarnation));
  auto kind = join_kind::first;
  if (node.is_up)
    kind = hello.incarnation == known ? join_kind::again : join_kind::replaced;
  node.has_told =
    node.has_told && hello.incarnation == known && hello.life == node.life;
  node.info = info_of(hello);
  node.life = hello.life;
  node.has_left = false;
  node.is_up = true;
  node.heard = now;
  return kind;
}

/// The same data directory has one node at a time, by its lock; its next start
/// has a higher incarnation. What has the same one is a copy.
status node_table::check_identity(const entry& x, const node_hello& hello,
                                  time_point now) const {
  const auto held_until = x.heard + hold_timeouts * limits_.node_timeout;
  const bool is_held = x.is_up || (!x.has_left && now < held_until);
  if (!is_held)
    return {};
  const auto& known = x.info;
  if (hello.identity != known.identity)
    return fail(
      ec::not_permitted,
      fmt::format("host '{}' has another node{}: identity {} in {}, this one "
                  "is {} in {}; stop one of them, or give it a host name of "
                  "its own in the fleet file",
                  hello.host.value,
                  x.is_up ? "" : ", which was lost a moment ago",
                  known.identity, known.data, hello.identity, hello.data));
  if (hello.incarnation == known.incarnation && hello.life != x.life)
    return fail(
      ec::not_permitted,
      fmt::format("host '{}' has a node of this same identity {} and "
                  "incarnation {}: one of the data directories {} and {} is a "
                  "copy; stop its node, and remove the file 'identity' in it",
                  hello.host.value, known.identity, known.incarnation,
                  known.data, hello.data));
  return {};
}

status node_table::admit(const host_name& host, uint64_t incarnation,
                         uint64_t life) const {
  const auto found = nodes_.find(host);
  if (found == nodes_.end())
    return fail(ec::not_permitted,
                fmt::format("host '{}' is not in the fleet file", host.value));
  const auto& node = found->second;
  if (node.is_up && incarnation < node.info.incarnation)
    return fail(
      ec::not_permitted,
      fmt::format("host '{}' has a newer node; stop this one", host.value));
  if (node.is_up && incarnation == node.info.incarnation && life != node.life)
    return fail(
      ec::not_permitted,
      fmt::format("host '{}' has another node; stop this one", host.value));
  if (!node.is_up || incarnation != node.info.incarnation)
    return fail(ec::not_ready,
                fmt::format("host '{}' must say hello first", host.value));
  return {};
}

bool node_table::hear(const node_heartbeat& beat, time_point now) {
  if (!admit(beat.host, beat.incarnation, beat.life))
    return false;
  auto& node = nodes_.at(beat.host);
  node.heard = std::max(node.heard, now);
  node.info.load = beat.load;
  return true;
}

void node_table::set_inventoried(const host_name& host) {
  if (const auto found = nodes_.find(host); found != nodes_.end())
    found->second.is_inventoried = found->second.has_told = true;
}

bool node_table::has_told(const host_name& host) const {
  const auto found = nodes_.find(host);
  return found != nodes_.end() && found->second.has_told;
}

bool node_table::lose(const host_name& host) {
  const auto found = nodes_.find(host);
  if (found == nodes_.end() || !found->second.is_up)
    return false;
  found->second.is_up = false;
  return true;
}

void node_table::leave(const host_name& host) {
  if (const auto found = nodes_.find(host); found != nodes_.end()) {
    found->second.is_up = false;
    found->second.has_left = true;
  }
}

std::vector<host_name> node_table::sweep(time_point now) {
  auto result = std::vector<host_name>{};
  for (auto& [host, node] : nodes_) {
    if (!node.is_up || now - node.heard < limits_.node_timeout)
      continue;
    node.is_up = false;
    result.push_back(host);
  }
  return result;
}

bool node_table::is_up(const host_name& host) const {
  const auto found = nodes_.find(host);
  return found != nodes_.end() && found->second.is_up;
}

bool node_table::is_expected(const host_name& host) const {
  return nodes_.contains(host);
}

bool node_table::is_complete() const {
  return std::ranges::all_of(
    nodes_, [](const auto& item) { return item.second.is_inventoried; });
}

std::vector<host_name> node_table::missing() const {
  auto result = std::vector<host_name>{};
  for (const auto& [host, node] : nodes_)
    if (!node.is_inventoried)
      result.push_back(host);
  return result;
}

std::vector<host_name> node_table::up() const {
  auto result = std::vector<host_name>{};
  for (const auto& [host, node] : nodes_)
    if (node.is_up)
      result.push_back(host);
  return result;
}

node_list node_table::list(const host_name& after, time_point now) const {
  auto result = node_list{};
  auto cutter = page_cutter{page_entries_max};
  for (auto it = nodes_.upper_bound(after); it != nodes_.end(); ++it) {
    auto info = describe(it->second, now);
    make_fit(info); // a handful of texts: it fits when they are cut
    if (!cutter.take(info)) {
      result.more = true;
      break;
    }
    result.nodes.push_back(std::move(info));
  }
  return result;
}

node_info node_table::describe(const entry& x, time_point now) const {
  auto result = x.info;
  if (x.info.incarnation == 0 && !x.is_up) {
    result.state = node_state::expected;
    return result;
  }
  result.silence = std::chrono::duration_cast<milliseconds>(now - x.heard);
  if (!x.is_up)
    result.state = node_state::down;
  else if (result.silence > 2 * limits_.heartbeat)
    result.state = node_state::late;
  else if (!x.has_told)
    result.state = node_state::joining;
  else
    result.state = node_state::up;
  return result;
}

} // namespace forkfleet
