// SPDX-License-Identifier: Apache-2.0
#include "node/network/sandbox_networks.hpp"

#include <algorithm>
#include <chrono>
#include <climits>
#include <cstdlib>
#include <string_view>

#include <fmt/format.h>

#include "actors/schema/fields.hpp"
#include "node/network/apart.hpp"
#include "node/network/net_links.hpp"
#include "node/network/net_space.hpp"
#include "node/network/nft_rules.hpp"
#include "node/network/rule_loader.hpp"
#include "node/storage/file.hpp"

namespace forkfleet {

namespace {

constexpr auto probe_limit = std::chrono::seconds{15};
constexpr std::string_view link_word = "link ";
constexpr std::string_view table_word = "table ";

std::string real_path(const std::string& path) {
  char room[PATH_MAX] = {};
  return ::realpath(path.c_str(), room) ? std::string{room} : path;
}

/// What a sandbox in user mode does not get of its list: it is all or
/// nothing.
std::string user_note(const std::vector<std::string>& egress) {
  if (egress.empty() || reaches_all(egress))
    return {};
  return "user-mode networking cannot keep to a list of what may be reached: "
         "nothing may";
}

void add_note(sandbox_network& x, const std::string& note) {
  if (!note.empty())
    x.note += (x.note.empty() ? "" : "; ") + note;
}

/// Within the sandbox' namespace.
status fill_space(const sandbox_network& x) {
  // The rules are there before there is a way.
  const auto rules = space_rules(x);
  if (!rules)
    return tl::unexpected(rules.error());
  if (auto loaded = load_rules(*rules); !loaded)
    return loaded;
  if (auto made = make_tap(tap_name); !made)
    return made;
  // A child's guest knows it from its source.
  if (auto set = set_mac(tap_name, gateway_mac); !set)
    return set;
  if (auto up = set_up_link("lo"); !up)
    return up;
  if (auto up = set_up_link(tap_name, guest_gateway, guest_prefix); !up)
    return up;
  if (auto up = set_up_link(inner_name, x.address, pair_prefix); !up)
    return up;
  if (auto routed = set_default_route(x.host_address, inner_name); !routed)
    return routed;
  return allow_forwarding();
}

/// A link to an earlier namespace of this name ends with that, some day.
status join_space(const sandbox_network& x) {
  auto is_within = false;
  const auto looked = run_in_space(x.space, [&is_within]() -> status {
    const auto inner = find_link(inner_name);
    is_within = inner.value_or(0) != 0;
    return inner ? status{} : tl::unexpected(inner.error());
  });
  if (!looked)
    return looked;
  const auto outer = find_link(x.space);
  if (!outer)
    return tl::unexpected(outer.error());
  if (is_within && *outer != 0)
    return {};
  if (auto removed = remove_link(x.space); !removed)
    return removed;
  return make_pair(x.space, inner_name, space_path(x.space));
}

/// What tells it from a later one of its name; none: nothing has it.
expected<std::optional<file_identity>>
identify_thing(const std::string& where) {
  if (where.starts_with(table_word))
    return file_identity{};
  if (!where.starts_with(link_word))
    return identify(where);
  const auto number = find_link(where.substr(link_word.size()));
  if (!number)
    return tl::unexpected(number.error());
  if (*number == 0)
    return std::nullopt;
  return file_identity{.inode = *number};
}

/// One of a sandbox that was started since would lose its way out.
status remove_table(const std::string& prefix) {
  const auto names = link_names();
  if (!names)
    return tl::unexpected(names.error());
  for (const auto& name : *names)
    if (name.starts_with(prefix))
      return fail(ec::io_failed, "it is in use by now");
  return load_rules(drop_host_rules(prefix));
}

} // namespace

std::string isolation_obstacle() {
  const auto tried = run_apart(
    []() -> expected<std::string> {
      auto done = run_in_fresh_space([]() -> status {
        if (auto made = make_tap(tap_name); !made)
          return made;
        return load_rules(fmt::format("table inet {} {{}}\n", rules_table));
      });
      if (!done)
        return tl::unexpected(done.error());
      return std::string{};
    },
    probe_limit);
  return tried ? std::string{} : tried.error().message;
}

sandbox_network network_of(const run_contract& contract) {
  auto result = sandbox_network{};
  for (const auto& argument : contract.arguments) {
    const auto value = [&argument](std::string_view key) {
      return argument.starts_with(key) ? argument.substr(key.size())
                                       : std::string{};
    };
    if (const auto mode = value("network="); !mode.empty())
      result.mode = mode == schema::name_of(network_mode::user)
                      ? network_mode::user
                      : network_mode::isolated;
    if (auto rule = value("egress="); !rule.empty())
      result.egress.push_back(std::move(rule));
  }
  return result;
}

sandbox_networks::sandbox_networks(ipv4_network range, const std::string& data,
                                   std::string obstacle)
  : range_{range}, data_{real_path(data)}, prefix_{network_prefix(data_)},
    obstacle_{std::move(obstacle)} {}

std::string sandbox_networks::describe() const {
  return obstacle_.empty() ? "namespace, " + to_string(range_)
                           : "user: " + obstacle_;
}

expected<sandbox_network>
sandbox_networks::plan(const config::network_section& wanted,
                       const sandbox_id& at) {
  auto result = sandbox_network{.mode = wanted.mode, .egress = wanted.egress};
  if (wanted.mode == network_mode::isolated && !obstacle_.empty())
    return fail(ec::unsupported,
                at.value + " is to have a network namespace: " + obstacle_
                  + "; run the node as root, or allow network.mode: auto");
  if (wanted.mode == network_mode::automatic) {
    result.mode =
      obstacle_.empty() ? network_mode::isolated : network_mode::user;
    if (!obstacle_.empty())
      add_note(result,
               "no network namespace, but user-mode networking: " + obstacle_);
  }
  return place(std::move(result), at);
}

expected<sandbox_network>
sandbox_networks::plan_child(const run_contract& contract,
                             const sandbox_id& at) {
  auto result = network_of(contract);
  if (result.mode == network_mode::isolated && !obstacle_.empty())
    return fail(ec::unsupported,
                "its snapshot is of a sandbox with a network namespace, which "
                "this node cannot make: "
                  + obstacle_ + "; run the node as root");
  return place(std::move(result), at);
}

/// Gives it what its mode needs.
expected<sandbox_network> sandbox_networks::place(sandbox_network x,
                                                  const sandbox_id& at) {
  if (x.mode == network_mode::user)
    add_note(x, user_note(x.egress));
  if (x.mode != network_mode::isolated)
    return x;
  const std::lock_guard lock{mutex_};
  const auto used = taken();
  if (!used)
    return tl::unexpected(used.error());
  if (auto found = plan_addresses(x, range_, *used, data_, at); !found)
    return tl::unexpected(found.error());
  if (claimed_.contains(x.space))
    return fail(ec::io_failed,
                fmt::format("{} and another sandbox would both be {}: choose "
                            "another name",
                            at.value, x.space));
  claimed_[x.space] = x.address;
  return x;
}

/// Those of other nodes on this host are seen by their links.
expected<std::set<uint32_t>> sandbox_networks::taken() const {
  const auto there = link_addresses();
  if (!there)
    return tl::unexpected(there.error());
  std::set<uint32_t> result;
  for (const auto& x : *there) {
    const auto address = parse_network(x.address);
    if (!address || !contains(range_, address->address)
        || x.link.starts_with(prefix_))
      continue;
    if (!is_network_link(x.link))
      return fail(ec::invalid_request,
                  fmt::format("hosts[].network_range {} has {}, which is {}'s: "
                              "choose one that this host does not use",
                              to_string(range_), x.address, x.link));
    result.insert(address->address + 1);
  }
  for (const auto& [space, text] : claimed_)
    if (const auto address = parse_network(text))
      result.insert(address->address);
  return result;
}

void sandbox_networks::claim(const sandbox_network& x) {
  if (x.space.empty())
    return;
  const std::lock_guard lock{mutex_};
  claimed_[x.space] = x.address;
}

status sandbox_networks::prepare_host() {
  const std::lock_guard lock{mutex_};
  if (is_prepared_)
    return {};
  if (auto loaded = load_rules(host_rules(prefix_, range_)); !loaded)
    return loaded;
  auto done = allow_forwarding();
  is_prepared_ = done.has_value();
  return done;
}

status sandbox_networks::make(const sandbox_network& x) {
  if (x.mode != network_mode::isolated)
    return {};
  claim(x);
  if (auto ready = prepare_host(); !ready)
    return ready;
  if (auto made = make_space(x.space); !made)
    return made;
  if (auto joined = join_space(x); !joined)
    return joined;
  auto filled = run_in_space(x.space, [&x] { return fill_space(x); });
  return filled ? set_up_link(x.space, x.host_address, pair_prefix) : filled;
}

status sandbox_networks::remove(const sandbox_network& x) {
  if (x.space.empty())
    return {};
  // Both are tried: what is left is found by fsck.
  const auto unlinked = remove_link(x.space);
  const auto unnamed = remove_space(x.space);
  if (!unlinked || !unnamed)
    return unlinked ? unnamed : unlinked;
  const std::lock_guard lock{mutex_};
  claimed_.erase(x.space);
  if (!claimed_.empty())
    return {};
  is_prepared_ = false;
  return load_rules(drop_host_rules(prefix_));
}

expected<std::vector<network_thing>> look_at_networks(const std::string& data) {
  const auto prefix = network_prefix(real_path(data));
  std::vector<network_thing> result;
  const auto add = [&result](const std::string& where,
                             const std::string& space) -> status {
    const auto found = identify_thing(where);
    if (!found)
      return tl::unexpected(found.error());
    if (*found)
      result.push_back({where, space, **found});
    return {};
  };
  const auto add_ours = [&](const expected<std::vector<std::string>>& names,
                            const std::string& before) -> status {
    if (!names)
      return tl::unexpected(names.error());
    for (const auto& name : *names)
      if (name.starts_with(prefix))
        if (auto added = add(before + name, name); !added)
          return added;
    return {};
  };
  if (look_for(spaces_directory) != presence::absent)
    if (auto seen = add_ours(list_directory(spaces_directory), space_path(""));
        !seen)
      return tl::unexpected(seen.error());
  if (auto seen = add_ours(link_names(), std::string{link_word}); !seen)
    return tl::unexpected(seen.error());
  const auto tables = rule_tables();
  // Without the right to see them, or without any, there are none of ours.
  if (!tables && tables.error().code != ec::not_permitted
      && tables.error().code != ec::unsupported)
    return tl::unexpected(tables.error());
  if (tables && std::ranges::count(*tables, prefix) > 0)
    if (auto seen = add(std::string{table_word} + prefix, {}); !seen)
      return tl::unexpected(seen.error());
  return result;
}

presence look_for(const network_thing& x) {
  const auto now = identify_thing(x.where);
  if (!now)
    return presence::unknown;
  return *now == x.identity ? presence::there : presence::absent;
}

status remove_network_thing(const std::string& where,
                            const file_identity& identity) {
  const auto now = identify_thing(where);
  if (!now)
    return tl::unexpected(now.error());
  if (!*now)
    return {};
  if (*now != identity)
    return fail(ec::io_failed, "another one took its place");
  if (where.starts_with(table_word))
    return remove_table(where.substr(table_word.size()));
  if (where.starts_with(link_word))
    return remove_link(where.substr(link_word.size()));
  return remove_space(where.substr(where.rfind('/') + 1));
}

} // namespace forkfleet
